//! The sockets that are listened on, and one thread that hands out what comes.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hoosh_core::error::{Code, Failure};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{oneshot, Notify};

use crate::caller::linger;
use crate::descriptors::Descriptors;
use crate::edge::Shared;
use crate::worker::{Order, Worker};

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 4_096;
/// After a failure to accept, such as no descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a new connection waits for an idle one to make room.
const ROOM: Duration = Duration::from_millis(500);
/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(1);

/// Opens the sockets of all addresses that `host` has.
pub fn open(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut port = port;
    for address in (host, port).to_socket_addrs()? {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::new(address.ip(), port).into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        // Where the system chooses, it chooses once.
        port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    if listeners.is_empty() {
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address"));
    }
    Ok(listeners)
}

/// How many connections there are, in all and of each address.
#[derive(Default)]
pub struct Counts {
    all: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place in the counts, given up when it is dropped.
pub struct Ticket {
    counts: Arc<Counts>,
    address: IpAddr,
}

impl Counts {
    /// A place, if there is room for one more of `address`.
    fn enter(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Ticket> {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        self.all.fetch_add(1, Ordering::Relaxed);
        Some(Ticket { counts: self.clone(), address })
    }

    pub fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.counts.all.fetch_sub(1, Ordering::Relaxed);
        let mut by_address = self.counts.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Accepts on all `listeners` until told to stop.
pub async fn accept(listeners: Vec<TcpListener>, shared: Arc<Shared>, workers: Arc<Vec<Worker>>, stop: Arc<Stop>) {
    let mut tasks = Vec::new();
    for listener in listeners {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { continue };
        let (shared, workers) = (shared.clone(), workers.clone());
        tasks.push(tokio::task::spawn_local(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, address)) => {
                        if let Ok(stream) = stream.into_std() {
                            hand_out(stream, address.ip(), &shared, &workers).await;
                        }
                    }
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        }));
    }
    stop.wait().await;
    for task in tasks {
        task.abort();
    }
}

async fn hand_out(stream: std::net::TcpStream, address: IpAddr, shared: &Arc<Shared>, workers: &[Worker]) {
    let (most, of_one) = shared.gateway.most_connections();
    let most = most.min(Descriptors::of_process().callers());
    if shared.counts.all() as u64 >= most && !make_room(most, shared, workers).await {
        return refuse(stream, "Every connection of this server is in use.");
    }
    let of_one = if of_one == 0 { usize::MAX } else { of_one as usize };
    match shared.counts.enter(address, of_one) {
        None => refuse(stream, "This address has as many connections here as it may have."),
        Some(ticket) => {
            if let Some(worker) = workers.iter().min_by_key(|worker| worker.load()) {
                worker.tell(Order::Serve(stream, ticket));
            }
        }
    }
}

/// Has an idle connection closed, of the busiest thread that has one; whether there is room then.
async fn make_room(most: u64, shared: &Shared, workers: &[Worker]) -> bool {
    let mut workers: Vec<&Worker> = workers.iter().collect();
    workers.sort_by_key(|worker| std::cmp::Reverse(worker.load()));
    let wait = ROOM / workers.len().max(1) as u32;
    for worker in workers {
        let until = tokio::time::Instant::now() + wait;
        let (told, said) = oneshot::channel();
        worker.tell(Order::Shed(told));
        // Where all are busy nothing is waited for: whoever comes next is waited with.
        if !matches!(tokio::time::timeout_at(until, said).await, Ok(Ok(true))) {
            continue;
        }
        while tokio::time::Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            if (shared.counts.all() as u64) < most {
                return true;
            }
        }
    }
    false
}

/// Says so in one write, which a fresh socket takes whole, and closes when the caller has read it: what it has sent would have it
/// reset at once, and the words lost.
fn refuse(mut stream: std::net::TcpStream, words: &str) {
    let body = Failure::new(Code::Overloaded, words).openai_body();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n"
    );
    let mut answer = head.into_bytes();
    answer.extend_from_slice(&body);
    let _ = stream.write(&answer);
    let _ = stream.shutdown(Shutdown::Write);
    let Some(place) = Refused::enter() else { return };
    if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
        tokio::task::spawn_local(async move {
            linger(stream).await;
            drop(place);
        });
    }
}

/// A place among those that were refused and may still read why; of those there are few, because a flood is refused too.
struct Refused;

thread_local! {
    static REFUSED: Cell<usize> = const { Cell::new(0) };
}

impl Refused {
    fn enter() -> Option<Refused> {
        let count = REFUSED.get();
        (count < Descriptors::of_process().refused()).then(|| {
            REFUSED.set(count + 1);
            Refused
        })
    }
}

impl Drop for Refused {
    fn drop(&mut self) {
        REFUSED.set(REFUSED.get() - 1);
    }
}

/// A word that is said once, and heard by whoever waits then or later.
#[derive(Default)]
pub struct Stop {
    said: AtomicBool,
    notify: Notify,
}

impl Stop {
    pub fn say(&self) {
        self.said.store(true, Ordering::Release);
        self.notify.notify_waiters();
        self.notify.notify_one();
    }

    pub async fn wait(&self) {
        while !self.said.load(Ordering::Acquire) {
            self.notify.notified().await;
        }
    }
}
