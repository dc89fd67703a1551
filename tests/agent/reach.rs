//! Whether a server takes connections, asked until it does for good.

use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::directory::{agent, json, run};

/// `ECONNREFUSED`
const REFUSED: i64 = 111;

fn tries(at: &str, exit: i32) -> Vec<i64> {
    let told = json(&run(&["reach"], Path::new(at), exit));
    assert_eq!(told["at"], at);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later").as_secs();
    assert!(told["since"].as_u64().is_some_and(|since| since <= now && now - since < 60));
    let tries = told["tries"].as_array().expect("a list");
    tries.iter().map(|errno| errno.as_i64().expect("a number")).collect()
}

#[test]
fn a_server_takes_connections_or_does_not() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address").to_string();
    assert_eq!(tries(&at, 0), [0; 6]);
    drop(listener);
    assert_eq!(tries(&at, 2), [REFUSED; 15], "a plugin may know it late");
    let wrong = agent("", &["reach"], Path::new("prom.mon.svc:9090"));
    assert_eq!(wrong.status.code(), Some(1), "a name is not looked up");
}

/// What a plugin does with a pod that it does not know yet is not what it does with it later.
#[test]
fn what_counts_is_what_it_came_to() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    drop(listener);
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(2500));
        TcpListener::bind(at).expect("its port")
    });
    let tries = tries(&at.to_string(), 0);
    assert!(tries.starts_with(&[REFUSED, REFUSED]) && tries.ends_with(&[0; 6]), "{tries:?}");
    drop(late.join());
}
