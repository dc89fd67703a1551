//! Which scenarios have their turn: all with `PROM_FIX_MATRIX=1`, else a cover of them.

/// Of `PROM_FIX_PROMETHEUS_VERSIONS`.
pub const VERSIONS: [&str; 3] = ["v2.42.0", "v2.53.3", "v3.16.0"];

pub fn matrix() -> bool {
    std::env::var("PROM_FIX_MATRIX").is_ok_and(|v| v == "1")
}

/// Runs it with this release, where it has its turn.
pub fn in_turn(name: &str, version: &str, always: &str, run: impl Fn(&str)) {
    if matrix() || version == always {
        run(version);
    } else {
        eprintln!("left to --matrix: {name} {version}");
    }
}

/// A test for each release, of which one always has its turn.
macro_rules! in_each_release {
    ($($name:ident: $always:expr, $run:expr;)*) => {$(
        mod $name {
            use super::*;
            use crate::cluster::turns::{VERSIONS, in_turn};

            #[test]
            #[ignore = "needs the cluster: tests/run"]
            fn of_2_42() {
                in_turn(stringify!($name), VERSIONS[0], $always, $run);
            }

            #[test]
            #[ignore = "needs the cluster: tests/run"]
            fn of_2_53() {
                in_turn(stringify!($name), VERSIONS[1], $always, $run);
            }

            #[test]
            #[ignore = "needs the cluster: tests/run"]
            fn of_3_16() {
                in_turn(stringify!($name), VERSIONS[2], $always, $run);
            }
        }
    )*};
}
pub(crate) use in_each_release;
