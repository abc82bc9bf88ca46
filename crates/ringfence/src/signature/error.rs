//! Why signatures and domains are refused.

use ringfence_core::automaton::SERVICES;
use thiserror::Error;

/// Why signatures and domains cannot be compiled.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// A regular expression is wrong or wants what the judge cannot do.
    #[error(
        "signature `{id}`: `{value}` is no regular expression that can be used: {reason}; \
         look-around, back-references and Unicode classes are not supported"
    )]
    Expression {
        /// The signature.
        id: String,
        /// The expression.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern is found in every message.
    #[error("{what}: `{value}` matches an empty value and so everything; write what must be there")]
    Empty {
        /// The signature or domain.
        what: String,
        /// The pattern.
        value: String,
    },
    /// The table has no room.
    #[error(
        "{what} does not fit: with it the automaton has {states} states and needs {bytes} bytes of \
         at most {max}; shorten it, or disable other signatures"
    )]
    TooLarge {
        /// The signature or domain whose addition is too much.
        what: String,
        /// The states that would be needed.
        states: usize,
        /// The bytes that would be needed.
        bytes: usize,
        /// The greatest number of bytes.
        max: usize,
    },
    /// The states of a pattern are too many to count.
    #[error(
        "{what} does not fit: with it the automaton needs far more than {max} bytes; \
         avoid large counted repetitions such as `.{{200}}`"
    )]
    TooComplex {
        /// The signature or domain whose addition is too much.
        what: String,
        /// The greatest number of bytes.
        max: usize,
    },
    /// One of the fixed tables is full.
    #[error("signature `{id}` is one too many: at most {max} {kind} can be in force; disable some")]
    TooMany {
        /// The first signature without room.
        id: String,
        /// What there are too many of.
        kind: &'static str,
        /// The greatest number.
        max: usize,
    },
    /// A service has no room in the table.
    #[error("service number {service} has domains; only services below {SERVICES} can")]
    Service {
        /// The number.
        service: usize,
    },
}
