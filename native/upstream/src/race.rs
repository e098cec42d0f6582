//! Addresses of one host, tried together: "happy eyeballs" (RFC 8305), so that an address that is silent costs a quarter of a
//! second and not the whole time there is.

use std::future::{poll_fn, Future};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, Sleep};

/// From one attempt to the next, where the first neither stands nor fails (RFC 8305, section 8).
const DELAY: Duration = Duration::from_millis(250);

type Dialling = Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>;

/// The first connection that stands; or the first error, where none does.
pub async fn dial(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut race = Race {
        rest: interleaved(addresses).into_iter(),
        running: Vec::new(),
        next: Box::pin(sleep(Duration::ZERO)),
        error: None,
    };
    race.start();
    poll_fn(|cx| race.poll(cx)).await
}

struct Race {
    rest: std::vec::IntoIter<SocketAddr>,
    running: Vec<Dialling>,
    /// When the next address is tried too.
    next: Pin<Box<Sleep>>,
    error: Option<io::Error>,
}

impl Race {
    fn start(&mut self) {
        if let Some(address) = self.rest.next() {
            self.running.push(Box::pin(TcpStream::connect(address)));
            self.next = Box::pin(sleep(DELAY));
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            let mut failed = false;
            let mut at = 0;
            while let Some(dialling) = self.running.get_mut(at) {
                match dialling.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                    Poll::Ready(Err(error)) => {
                        drop(self.running.swap_remove(at));
                        self.error.get_or_insert(error);
                        failed = true;
                    }
                }
            }
            let is_waiting = !self.rest.as_slice().is_empty();
            if is_waiting && (failed || self.next.as_mut().poll(cx).is_ready()) {
                self.start();
                continue;
            }
            if self.running.is_empty() {
                let none = || io::Error::new(io::ErrorKind::AddrNotAvailable, "no address to connect to");
                return Poll::Ready(Err(self.error.take().unwrap_or_else(none)));
            }
            return Poll::Pending;
        }
    }
}

/// The families by turns, that of the first address first; within each as the system sorted them (RFC 6724).
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let longest = one.len().max(other.len());
    (0..longest).flat_map(|at| one.get(at).into_iter().chain(other.get(at))).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use std::net::TcpListener;

    use socket2::{Domain, Socket, Type};

    use super::{dial, interleaved};

    fn run<T>(test: impl std::future::Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test)
    }

    /// A port on which somebody listens, and one on which nobody does.
    fn ports() -> (TcpListener, SocketAddr, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        let address = listener.local_addr().expect("its address");
        (listener, address, gone)
    }

    #[test]
    fn every_address_is_tried() {
        let (_listener, good, gone) = ports();
        let stream = run(dial(vec![gone, gone, gone, good])).expect("the last one");
        assert_eq!(stream.peer_addr().expect("a peer"), good);
        assert!(run(dial(vec![gone, gone])).is_err());
        assert!(run(dial(Vec::new())).is_err());
    }

    #[test]
    fn a_silent_address_does_not_hold_up_the_next() {
        let (_listener, good, _) = ports();
        // Linux leaves callers without a word whose listener has as many waiting as it wants.
        let full = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        full.bind(&any.into()).expect("a port");
        full.listen(0).expect("to listen");
        let silent = full.local_addr().expect("its address").as_socket().expect("of IP");
        let _waiting = std::net::TcpStream::connect(silent).expect("the first");
        let stream = run(dial(vec![silent, silent, good])).expect("the last one");
        assert_eq!(stream.peer_addr().expect("a peer"), good);
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap_or_else(|_| panic!("{text}"))).collect()
    }

    #[test]
    fn families_take_turns_and_the_systems_order_is_kept() {
        let sorted = interleaved(addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"]));
        assert_eq!(sorted, addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"]));
        let sorted = interleaved(addresses(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]));
        assert_eq!(sorted, addresses(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]));
        assert_eq!(interleaved(Vec::new()), addresses(&[]));
    }
}
