//! The terminal: what goes to stderr while a run is at work, and what is asked on it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Color, ReadFlags};
use crate::effects::Watcher;
use crate::render;
use crate::render::style::Style;

/// Streams and how they may be used.
pub struct Screen {
    color: bool,
    width: usize,
    quiet: bool,
    verbose: u8,
    /// stderr is a terminal: progress may be redrawn.
    live: bool,
    /// stdin and stderr are terminals: a question can be asked and answered.
    asks: bool,
    stop: Arc<AtomicBool>,
    /// Ctrl-C is caught.
    catches: AtomicBool,
}

/// Where no terminal says otherwise a report is this wide.
const WIDTH: usize = 80;
/// Lines that are longer are hard to read, shorter ones have no room for a command.
const WIDEST: usize = 100;
const NARROWEST: usize = 60;

/// The width of the terminal, within reason.
fn width() -> usize {
    let of = terminal_size::terminal_size_of(std::io::stdout());
    of.map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(NARROWEST, WIDEST))
}

impl Screen {
    pub fn new(flags: &ReadFlags) -> Screen {
        let out = std::io::stdout().is_terminal();
        let err = std::io::stderr().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some()
            || std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let color = match flags.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => out && !plain,
        };
        let stop = Arc::new(AtomicBool::new(false));
        Screen {
            color,
            width: if out { width() } else { WIDTH },
            quiet: flags.quiet,
            verbose: flags.verbose,
            live: err && !flags.quiet,
            asks: err && std::io::stdin().is_terminal(),
            stop,
            catches: AtomicBool::new(false),
        }
    }

    /// From now on Ctrl-C asks to stop at the next safe place; a second one ends the program.
    pub fn catch_interrupts(&self) {
        // Two that listen would take the first Ctrl-C for the second.
        if self.catches.swap(true, Ordering::SeqCst) {
            return;
        }
        let stop = Arc::clone(&self.stop);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if stop.swap(true, Ordering::SeqCst) {
                    std::process::exit(130);
                }
            }
        });
    }

    /// Says a line from anywhere, also while progress is drawn.
    pub fn teller(&self) -> impl Fn(&str) + Send + Sync + use<> {
        let (quiet, live) = (self.quiet, self.live);
        move |line| {
            // Over what is drawn, which is drawn again below it.
            let clear = if live { "\r\x1b[2K" } else { "" };
            if !quiet {
                let _ = writeln!(std::io::stderr(), "{clear}      {}", render::clean(line));
            }
        }
    }

    /// Whether somebody asked to stop, for anywhere.
    pub fn stopper(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let stop = Arc::clone(&self.stop);
        move || stop.load(Ordering::SeqCst)
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    pub fn style(&self) -> Style {
        Style { color: self.color, width: self.width }
    }

    /// One line to stderr, unless quiet.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// One line to stderr, also where quiet: it is the answer.
    pub fn fail(&self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// One line to stderr where `-v` was given.
    pub fn detail(&self, level: u8, line: &str) {
        if self.verbose >= level {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// Whether there is a terminal to ask on.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// Where progress of its own kind goes, and whether it is seen on a terminal.
    pub fn progress(&self) -> (Box<dyn Write>, bool) {
        match self.quiet {
            true => (Box::new(std::io::sink()), false),
            false => (Box::new(std::io::stderr()), self.live),
        }
    }

    /// Asks on the terminal; none where there is no terminal, or at end of input.
    pub fn ask(&self, question: &str) -> Option<String> {
        if !self.asks {
            return None;
        }
        let mut err = std::io::stderr();
        write!(err, "{question}").and_then(|()| err.flush()).ok()?;
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim().to_owned())
    }

    /// Shows the progress of a plan.
    pub fn watcher(&self) -> Progress<'_> {
        Progress { screen: self, bar: None, last: String::new() }
    }
}

/// Progress on a terminal, plain lines elsewhere.
pub struct Progress<'a> {
    screen: &'a Screen,
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress<'_> {
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn draw(&mut self, says: &str, fraction: Option<f64>) {
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(1000);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let template = if fraction.is_some() {
            "  {spinner} {bar:24} {percent:>3}%  {msg}"
        } else {
            "  {spinner} {msg}  {elapsed}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if let Some(fraction) = fraction.filter(|f| f.is_finite()) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            bar.set_position((fraction.clamp(0.0, 1.0) * 1000.0) as u64);
        }
        bar.set_message(says.to_owned());
    }
}

impl Watcher for Progress<'_> {
    fn step(&mut self, number: usize, of: usize, what: &str) {
        self.clear();
        self.screen.say(&format!("[{number}/{of}] {}", render::clean(what)));
    }

    fn wait(&mut self, says: &str, fraction: Option<f64>) {
        let says = render::clean(says);
        if self.screen.live {
            self.draw(&says, fraction);
        } else if says != self.last {
            self.screen.say(&format!("      {says}"));
            self.last = says;
        }
    }

    fn done(&mut self, _number: usize, says: &str) {
        self.clear();
        self.last.clear();
        if !says.is_empty() {
            self.screen.say(&format!("      {}", render::clean(says)));
        }
    }

    fn stop_requested(&self) -> bool {
        self.screen.stopped()
    }
}
