//! Who is told of what the daemon does.

use super::state::Daemon;
use crate::notify::{Notice, NoticeKind};
use crate::store::Ban;

impl Daemon {
    /// Tells people, if they want to be told. It does not wait.
    pub(super) fn notify(&self, notice: Notice) {
        self.beside.notifier.tell(notice);
    }

    /// Tells of a ban that is new.
    pub(super) fn tell_of_ban(&self, ban: &Ban) {
        if self.beside.notifier.tells(NoticeKind::Ban) {
            self.notify(Notice::ban(ban));
        }
    }
}
