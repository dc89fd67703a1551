//! How far a run is that reads for long. A helper's log is read for it while it works.

use std::io::Write;
use std::time::Duration;

use super::Screen;
use super::words::size;
use crate::datadir::survey::Progress;

/// Reads, and says how far it is.
pub fn told<T>(screen: &mut Screen<'_>, read: impl FnOnce(&mut dyn FnMut(Progress)) -> T) -> T {
    let mut line = Line { said: None, terminal: screen.terminal };
    let read = read(&mut |progress| line.tell(progress, screen.progress));
    line.end(screen.progress);
    read
}

/// How far it is, for what takes longer than a second: on a terminal one line, written again and
/// again.
struct Line {
    said: Option<Duration>,
    terminal: bool,
}

impl Line {
    fn tell(&mut self, progress: Progress, err: &mut dyn Write) {
        let Progress { done_bytes, all_bytes, since } = progress;
        let pause = if self.terminal { Duration::from_millis(200) } else { Duration::from_secs(5) };
        let due = self.said.map_or(Duration::from_secs(1), |said| said + pause);
        if since < due {
            return;
        }
        self.said = Some(since);
        let share = done_bytes * 100 / all_bytes.max(1);
        let words = format!("read {} of {} ({share} %)", size(done_bytes), size(all_bytes));
        // A report is worth more than its progress: that it cannot be told is no error.
        let _ = if self.terminal {
            write!(err, "\r{words}\x1b[K").and_then(|()| err.flush())
        } else {
            writeln!(err, "{words}")
        };
    }

    fn end(&self, err: &mut dyn Write) {
        if self.terminal && self.said.is_some() {
            let _ = write!(err, "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Caller;

    #[test]
    fn beside_a_terminal_it_is_a_line_now_and_then() {
        let (mut out, mut err, mut progress) = (Vec::new(), Vec::new(), Vec::new());
        let mut screen = Screen {
            out: &mut out,
            err: &mut err,
            progress: &mut progress,
            terminal: false,
            caller: Caller::Agent,
        };
        told(&mut screen, |tell| {
            for second in 0..=9 {
                let since = Duration::from_secs(second);
                tell(Progress { done_bytes: second << 30, all_bytes: 10 << 30, since });
            }
        });
        let said = String::from_utf8(progress).expect("words");
        assert_eq!(said, "read 1.0 GiB of 10.0 GiB (10 %)\nread 6.0 GiB of 10.0 GiB (60 %)\n");
    }
}
