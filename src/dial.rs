//! Whether a server takes connections from here, for a helper pod that asks in a client's stead.

use std::io;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

/// A connection is taken for good when so many tries in a row were taken.
const STEADY: u32 = 6;
const MOST_TRIES: u32 = 15;
const PERIOD: Duration = Duration::from_secs(1);
/// Of one try: longer than a first SYN that was lost takes to be sent again (1 s, RFC 6298).
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Seconds since 1970, by the clock of the node.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Tries once a second until it is taken for good, or has been refused long enough: a network plugin may
/// take its time until it knows a new pod, and may drop all that it sends until then. Tells of each try the number of its error (`errno.h` of Linux), 0 where it was taken;
/// returns the last.
pub fn until_taken(
    at: &SocketAddr,
    each: &mut dyn FnMut(i32) -> io::Result<()>,
) -> io::Result<i32> {
    let (mut last, mut taken) = (0, 0);
    for _ in 0..MOST_TRIES {
        let begun = Instant::now();
        last = once(at).map_or_else(Errno::raw_os_error, |()| 0);
        taken = if last == 0 { taken + 1 } else { 0 };
        each(last)?;
        if taken == STEADY {
            break;
        }
        sleep(PERIOD.saturating_sub(begun.elapsed()));
    }
    Ok(last)
}

/// One connection, given up at once.
fn once(at: &SocketAddr) -> rustix::io::Result<()> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, at) {
        Err(Errno::INPROGRESS) => {}
        other => return other,
    }
    if poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&PATIENCE))? == 0 {
        return Err(Errno::TIMEDOUT);
    }
    sockopt::socket_error(&socket)?
}
