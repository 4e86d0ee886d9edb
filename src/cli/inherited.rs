//! What a process gets from who starts it and passes on to what it starts: ours is stricter, and a recorded program gets what it
//! would have had without us.

use std::sync::OnceLock;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// As it was when the program began.
static BEFORE: OnceLock<(Rlimit, Mode)> = OnceLock::new();

/// Puts what this program needs in place.
pub(super) fn put_ours() {
    let limit = getrlimit(Resource::Core);
    // A core file would hold keys and content in the clear. The hard limit stays: a recorded program may need it.
    let none = Rlimit { current: Some(0), maximum: limit.maximum };
    let _kept_where_refused = setrlimit(Resource::Core, none);
    // sled makes its files with the mode that this leaves.
    let before = umask(Mode::from_raw_mode(0o077));
    let _first = BEFORE.set((limit, before));
}

/// For every command that starts no other program: no core file, whatever happens.
pub(super) fn keep_ours() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _kept_where_refused = setrlimit(Resource::Core, none);
}

/// No core file whatever the system does with one: a program that takes core files over a pipe heeds no limit.
pub(super) fn never_dumped() {
    keep_ours();
    #[cfg(target_os = "linux")]
    let _the_limit_holds_for_files =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Gives back what was there before, for the moment in which another program is started, or takes it away again. Nothing else
/// of this process may make files meanwhile.
pub(super) fn as_before(is_before: bool) {
    let Some((limit, mode)) = BEFORE.get() else { return };
    if !is_before {
        let _ours = umask(Mode::from_raw_mode(0o077));
        let none = Rlimit { current: Some(0), maximum: limit.maximum };
        let _kept_where_refused = setrlimit(Resource::Core, none);
        return;
    }
    let _theirs = umask(*mode);
    let _kept_where_refused = setrlimit(Resource::Core, Rlimit { current: limit.current, maximum: limit.maximum });
}
