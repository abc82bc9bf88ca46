//! How addresses and times lie in a column: addresses as 4 or 16 bytes in network order, so that they compare as
//! numbers; times as whole seconds since 1970.

use std::net::IpAddr;

use jiff::Timestamp;
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};

/// An address in a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address(pub(super) IpAddr);

/// A time in a column. What is finer than a second is dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds(pub(super) Timestamp);

impl ToSql for Address {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let bytes = match self.0 {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        Ok(ToSqlOutput::Owned(Value::Blob(bytes)))
    }
}

impl FromSql for Address {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
            return Ok(Self(octets.into()));
        }
        match <[u8; 16]>::try_from(bytes) {
            Ok(octets) => Ok(Self(octets.into())),
            Err(_) => Err(FromSqlError::InvalidBlobSize {
                expected_size: 16,
                blob_size: bytes.len(),
            }),
        }
    }
}

impl ToSql for Seconds {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Integer(self.0.as_second())))
    }
}

impl FromSql for Seconds {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let seconds = value.as_i64()?;
        Timestamp::from_second(seconds)
            .map(Self)
            .map_err(|_| FromSqlError::OutOfRange(seconds))
    }
}

/// The address with all bits after its first `prefix_len` cleared; None where there are not that many.
pub(super) fn network(address: IpAddr, prefix_len: u8) -> Option<IpAddr> {
    ipnet::IpNet::new(address, prefix_len)
        .ok()
        .map(|net| net.trunc().addr())
}
