//! An HTTP server that answers as it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use orderd_sink_testing::eventually;
use rustix::net::sockopt;

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its number, from 1.
    pub number: usize,
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    /// The value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// What the endpoint does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    Status(u16),
    With {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// The connection is reset.
    Reset,
    /// Nothing, for so long.
    Silence(Duration),
}

type Script = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

/// Listens on loopback until it is dropped.
pub struct Endpoint {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Endpoint {
    pub fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script)
    }

    pub fn start_at(address: SocketAddr, script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (stopped, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let script: Arc<Script> = Arc::new(Box::new(script));
        let (seen, count, stop, all) = (requests.clone(), connections.clone(), stopped.clone(), open.clone());
        let accept = move || {
            while let Ok((stream, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                count.fetch_add(1, Ordering::SeqCst);
                all.lock().unwrap().push(stream.try_clone().unwrap());
                let (seen, script) = (seen.clone(), script.clone());
                spawn(move || serve(&stream, &seen, &script));
            }
        };
        let thread = Some(spawn(accept));
        Self { address, requests, connections, stopped, open, thread }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?key=hidden", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn wait_requests(&self, count: usize) -> Vec<Request> {
        eventually(&format!("{count} requests"), || {
            let requests = self.requests();
            (requests.len() >= count).then_some(requests)
        })
    }
}

impl Endpoint {
    /// Closes everything, as a kill does.
    pub fn go_away(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        for stream in self.open.lock().unwrap().drain(..) {
            stream.shutdown(std::net::Shutdown::Both).ok();
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.go_away();
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::Builder::new().name("endpoint".to_owned()).spawn(work).unwrap()
}

fn serve(stream: &TcpStream, seen: &Mutex<Vec<Request>>, script: &Script) {
    let mut reader = BufReader::new(stream);
    while let Some(mut request) = read(&mut reader) {
        let mut requests = seen.lock().unwrap();
        request.number = requests.len() + 1;
        requests.push(request.clone());
        drop(requests);
        let (status, headers, body) = match script(&request) {
            Reply::Status(status) => (status, Vec::new(), String::new()),
            Reply::With { status, headers, body } => (status, headers, body),
            Reply::Reset => {
                // Without lingering the close is a reset.
                sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
                return;
            }
            Reply::Silence(time) => {
                thread::park_timeout(time);
                return;
            }
        };
        let head: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let text = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {length}\r\n{head}\r\n{body}");
        // The client may be killed by the test.
        if (&mut &*stream).write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut request = Request { number: 0, method, path, headers, body: String::new() };
    let mut body = vec![0; request.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}
