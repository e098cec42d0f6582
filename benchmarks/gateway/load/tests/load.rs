//! The loops against the upstream, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hoosh_load::arguments::Arguments;
use hoosh_load::faults::{Fate, Faults};
use hoosh_load::requests::Requests;
use hoosh_load::upstream::{self, Manner};
use hoosh_load::{closed, hold, open};

fn arguments(words: &str) -> Arguments {
    Arguments::parse(words.split_whitespace().map(str::to_owned)).unwrap()
}

fn requests(address: SocketAddr, words: &str) -> Arc<Requests> {
    Arc::new(Requests::from(&mut arguments(&format!("--url http://{address}/v1/chat/completions {words}"))).unwrap())
}

/// An upstream whose streams have `events` pieces, a millisecond apart.
async fn upstream(events: u64, faults: &str) -> SocketAddr {
    let listener = upstream::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let faults = Faults::from(&mut arguments(faults)).unwrap();
    let manner = Manner::new(upstream::ANSWER, events, Duration::from_millis(1), faults);
    tokio::spawn(upstream::serve(listener, Arc::new(manner)));
    address
}

fn run<T>(future: impl std::future::Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_closed_loop_counts_every_answer() {
    run(async {
        let address = upstream(1, "").await;
        let (tally, _) = closed::run(requests(address, "--requests 500"), 7, LONG).await;
        assert_eq!((tally.answers, tally.good, tally.failed(), tally.events), (500, 500, 0, 0));
    });
}

#[test]
fn a_stream_is_good_when_it_was_closed() {
    run(async {
        let address = upstream(5, "").await;
        let (tally, _) = closed::run(requests(address, "--requests 20 --stream"), 4, LONG).await;
        // The role, five pieces, the finish and the usage; the mark is none.
        assert_eq!((tally.good, tally.events), (20, 20 * 8));
        assert!(tally.first(0.5).unwrap() < tally.time(0.5).unwrap());
    });
}

#[test]
fn faults_are_counted_as_what_they_are() {
    run(async {
        for (faults, answers, failed) in
            [("--throttled 1", 10, 0), ("--failed 1", 10, 0), ("--reset 1", 0, 10), ("--truncated 1", 0, 10)]
        {
            let address = upstream(4, faults).await;
            for stream in ["", "--stream"] {
                let (tally, _) = closed::run(requests(address, &format!("--requests 10 {stream}")), 2, LONG).await;
                assert_eq!((tally.answers, tally.good, tally.failed()), (answers, 0, failed), "{faults} {stream}");
            }
        }
        let address = upstream(4, "--stalled 1").await;
        let (tally, _) = closed::run(requests(address, "--requests 2"), 2, Duration::from_millis(50)).await;
        assert_eq!((tally.answers, tally.failed()), (0, 2));
    });
}

#[test]
fn shares_of_faults_are_kept() {
    let mut faults = Faults::from(&mut arguments("--throttled 0.1 --stalled 0.3")).unwrap();
    let drawn: Vec<Fate> = (0..100_000).map(|_| faults.draw()).collect();
    let share = |fate| drawn.iter().filter(|&&one| one == fate).count() as f64 / drawn.len() as f64;
    assert!((share(Fate::Throttled) - 0.1).abs() < 0.01);
    assert!((share(Fate::Stalled) - 0.3).abs() < 0.01);
    assert_eq!(share(Fate::Reset), 0.0);
}

/// One connection for a server that takes 4 ms: asked 1,000 times a second, all but the first wait for those before them, and
/// the wait is theirs. A closed loop would have told 4 ms of each.
#[test]
fn an_open_loop_times_from_when_a_request_was_due() {
    run(async {
        let address = upstream(5, "").await;
        let plan = |connections| open::Plan {
            rate: 1000.0,
            connections,
            warm: Duration::ZERO,
            span: Duration::from_millis(100),
            poisson: false,
        };
        let (tally, _) = open::run(requests(address, "--stream"), plan(1)).await.unwrap();
        assert_eq!((tally.answers, tally.failed()), (100, 0));
        assert!(tally.time(0.9).unwrap() > Duration::from_millis(200), "{}", tally.json(Duration::from_secs(1)));
    });
}

#[test]
fn an_open_loop_keeps_its_rate_and_leaves_out_what_warms_up() {
    run(async {
        let address = upstream(1, "").await;
        for poisson in [false, true] {
            let (warm, span) = (Duration::from_millis(100), Duration::from_millis(500));
            let plan = open::Plan { rate: 2000.0, connections: 32, warm, span, poisson };
            let (tally, _) = open::run(requests(address, ""), plan).await.unwrap();
            assert_eq!(tally.failed(), 0);
            if poisson {
                assert!((800..1200).contains(&tally.good), "{}", tally.good);
            } else {
                assert!((999..=1001).contains(&tally.good), "{}", tally.good);
            }
        }
    });
}

#[test]
fn who_holds_counts_events_and_losses() {
    run(async {
        let mut said = Vec::new();
        let plan = || hold::Plan { count: 20, ramp: 1000.0, span: Duration::from_millis(200) };
        let address = upstream(100_000, "").await;
        hold::run(requests(address, "--stream"), plan(), |line| said.push(line)).await;
        assert!(said[0].contains("\"there\":20"), "{said:?}");
        assert!(said[1].contains("\"lasted\":20,\"lost\":0") && !said[1].contains("\"fewest_events\":0"), "{said:?}");

        said.clear();
        hold::run(requests(upstream(2, "").await, "--stream"), plan(), |line| said.push(line)).await;
        assert!(said[1].contains("\"lasted\":0,\"lost\":20"), "{said:?}");

        said.clear();
        hold::run(requests(address, ""), plan(), |line| said.push(line)).await;
        assert!(said[0].contains("\"there\":20") && said[1].contains("\"lasted\":20"), "{said:?}");
    });
}

#[test]
fn bodies_differ_or_repeat_as_asked() {
    let address = "127.0.0.1:1".parse().unwrap();
    let written = |words: &str, count: usize| {
        let requests = requests(address, words);
        let (mut seen, mut out) = (Vec::new(), Vec::new());
        for _ in 0..count {
            assert!(requests.write(&mut out));
            let text = String::from_utf8(out.clone()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(
                format!("{head}\r\n").contains(&format!("Content-Length: {}\r\n", body.len()))
                    && body.ends_with("\"}]}"),
                "{text}"
            );
            assert!(!text.contains('#'), "{text}");
            seen.push(text);
        }
        let total = seen.iter().collect::<std::collections::HashSet<_>>().len();
        (total, seen.remove(0))
    };
    assert_eq!(written("", 50).0, 50);
    assert_eq!(written("--distinct 10", 50).0, 10);
    let (_, one) = written("--keys 7 --models 3 --first 5", 1);
    assert!(
        one.contains("Bearer bench-key-00000005-0123456789abcdef\r\n") && one.contains("\"model\":\"model-00002\"")
    );
    assert_eq!(written("--bytes 2000", 1).1.split_once("\r\n\r\n").unwrap().1.len(), 2000);
}

#[test]
fn mistakes_are_named() {
    assert!(Requests::from(&mut arguments("--distinct 3")).is_err_and(|error| error.contains("--url")));
    assert!(arguments("--what 3").done().is_err_and(|error| error.contains("--what")));
    assert!(arguments("--rate x").number("rate", 1.0).is_err_and(|error| error.contains("no number")));
    assert!(Arguments::parse(["x".to_owned()]).is_err());
}
