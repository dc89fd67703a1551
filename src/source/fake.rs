//! A tiny API server for tests: real sockets, so that the whole client is under test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::connect::{KubeFlags, connect};
use super::live::Live;

/// Requests as they came: `GET /path`, headers, body.
#[derive(Clone, Debug)]
pub struct Asked {
    pub line: String,
    pub headers: String,
    pub body: String,
}

pub struct Server {
    pub flags: KubeFlags,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    _dir: tempfile::TempDir,
}

/// Flags that lead to `url` and nowhere else, whatever kubeconfig the machine has.
fn flags(dir: &tempfile::TempDir, url: &str) -> KubeFlags {
    let file = dir.path().join("config");
    std::fs::write(&file, "apiVersion: v1\nkind: Config\n").expect("written");
    KubeFlags { kubeconfig: Some(file), server: Some(url.into()), ..KubeFlags::default() }
}

impl Server {
    /// Answers `METHOD PATH` with a status and a body.
    pub fn start(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let dir = tempfile::tempdir().expect("a directory");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &answer, &log);
            }
        });
        Server { flags: flags(&dir, &format!("http://{address}")), asked, _dir: dir }
    }

    /// Flags to a port on which nobody listens.
    pub fn none() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let dir = tempfile::tempdir().expect("a directory");
        Server {
            flags: flags(&dir, &format!("http://{address}")),
            asked: Arc::default(),
            _dir: dir,
        }
    }

    pub async fn live(&self) -> Live {
        Live::new(connect(&self.flags).await.expect("connected"))
    }

    pub fn lines(&self) -> Vec<String> {
        self.asked.lock().expect("unpoisoned").iter().map(|asked| asked.line.clone()).collect()
    }
}

fn serve(
    stream: TcpStream,
    answer: &impl Fn(&str) -> (u16, String),
    log: &Mutex<Vec<Asked>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let line = line.rsplit_once(' ')?.0.to_owned();
    let mut headers = String::new();
    loop {
        let before = headers.len();
        reader.read_line(&mut headers).ok()?;
        if headers.get(before..).is_none_or(|line| line.trim().is_empty()) {
            break;
        }
    }
    let length = headers.lines().find_map(|header| {
        let (name, value) = header.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    log.lock().ok()?.push(Asked { line: line.clone(), headers, body });
    let (status, body) = answer(&line);
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nretry-after: 0\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}
