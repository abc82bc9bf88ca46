//! How many bans before make the next one longer.

use crate::store::PastBans;

/// The bans that count against a source. Whoever did not prove a return path has none, since somebody else may have forged
/// what it is banned for; nor do such bans count later.
pub fn earlier(past: PastBans, proved: bool) -> u32 {
    if proved { past.proved } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Ban;

    #[test]
    fn each_proved_ban_lasts_longer() {
        let times = Ban::default();
        let time = |all, proved, this| times.time(earlier(PastBans { all, proved }, this));
        assert_eq!(time(0, 0, true), times.times[0]);
        assert_eq!(time(1, 1, true), times.times[1]);
        assert_eq!(time(9, 9, true), times.times[3]);
        assert_eq!(time(9, 0, true), times.times[0], "all were forged");
        assert_eq!(time(9, 9, false), times.times[0], "this one may be");
    }
}
