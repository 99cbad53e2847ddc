//! What the benches share: blocks of calls with and without the crate, and a peer that answers at once.
//!
//! Each verb alternates in short blocks with what one would write with the plain SDK, so that whatever else the machine does
//! meets both. Each block is compared with its neighbour; what is reported is the median over these pairs, and the interval in
//! which the median of endlessly many would be with 99 % certainty. Only this thread is counted, on which the whole client
//! runs. With `DYNAMO_ONCE_BENCH_REPORT_ONLY=1` limits are reported, not enforced.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use allocation_counter::AllocationInfo;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::{Client, Config};
use cpu_time::ThreadTime;
use dynamo_once::{Item, Store, Table};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// Few calls, so that what comes and goes on the machine hits both of a pair, or is an outlier of one.
#[derive(Clone, Copy)]
pub(crate) struct Blocks {
    pub(crate) calls: u64,
    pub(crate) blocks: usize,
    pub(crate) warm_up: usize,
}

pub(crate) struct Bench<T> {
    blocks: Blocks,
    runtime: Runtime,
    requests: Arc<AtomicU64>,
    pub(crate) client: Client,
    pub(crate) orders: Table<T>,
}

/// What the peer answers to a request of this target with this body.
pub(crate) type Answer = fn(target: &str, body: &[u8]) -> &'static str;

/// What one call costs, on the average of a block.
#[derive(Clone, Copy)]
struct Cost {
    cpu_us: f64,
    allocations: f64,
    bytes: f64,
    requests: f64,
}

/// What a verb costs more than the plain SDK: the median over pairs of neighbouring blocks.
pub(crate) struct Difference {
    pub(crate) cpu_per_cent: f64,
    /// Where that median is with 99 % certainty.
    pub(crate) between: [f64; 2],
    pub(crate) allocations: f64,
    pub(crate) requests: f64,
}

/// What a verb may cost more than the plain SDK.
pub(crate) struct Limits {
    pub(crate) cpu_per_cent: f64,
    pub(crate) allocations: f64,
    pub(crate) requests: f64,
}

impl Difference {
    /// Says whether the verb is within its limits, and fails where it isn't and limits are enforced.
    pub(crate) fn judge(&self, verb: &str, most: Limits) -> ExitCode {
        let Self { cpu_per_cent, between, allocations, requests } = self;
        let within =
            *cpu_per_cent <= most.cpu_per_cent && *allocations <= most.allocations && *requests <= most.requests;
        println!(
            "{verb}: {cpu_per_cent:+.1} % CPU, {:+.1} to {:+.1} (limit {:+} %), {allocations:+.1} allocations (limit {:+}), \
             {requests:+.1} requests (limit {:+}): {}",
            between[0],
            between[1],
            most.cpu_per_cent,
            most.allocations,
            most.requests,
            if within { "within its limits" } else { "over its limits" }
        );
        let report_only = std::env::var("DYNAMO_ONCE_BENCH_REPORT_ONLY").is_ok_and(|value| value == "1");
        if within || report_only { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl<T: Item> Bench<T> {
    pub(crate) fn new(blocks: Blocks, answer: Answer) -> Self {
        let Blocks { calls, blocks: count, .. } = blocks;
        println!("{count} blocks of {calls} calls each, medians per call\n");
        println!("{:<24}{:>10}{:>10}{:>10}{:>10}", "", "CPU us", "allocs", "bytes", "requests");
        let requests = Arc::new(AtomicU64::new(0));
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
            .endpoint_url(format!("http://{}", peer(&requests, answer)))
            .build();
        Self {
            blocks,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
            requests,
            client: Client::from_conf(config.clone()),
            orders: Store::new(config).table(),
        }
    }

    pub(crate) fn compare(&self, plain: &str, plainly: impl AsyncFn(), verb: &str, ours: impl AsyncFn()) -> Difference {
        let Blocks { blocks, warm_up, .. } = self.blocks;
        let mut pairs = Vec::with_capacity(blocks);
        for block in 0..warm_up + blocks {
            // Each goes first as often as the other.
            let pair = if block % 2 == 0 {
                let plain = self.block(&plainly);
                (plain, self.block(&ours))
            } else {
                let ours = self.block(&ours);
                (self.block(&plainly), ours)
            };
            if block >= warm_up {
                pairs.push(pair);
            }
        }
        let of = |figure: fn(&Cost) -> f64| {
            let (plain, ours) = (
                median(pairs.iter().map(|(plain, _)| figure(plain))),
                median(pairs.iter().map(|(_, ours)| figure(ours))),
            );
            [plain, ours, median(pairs.iter().map(|(plain, ours)| figure(ours) - figure(plain)))]
        };
        let (cpu, allocations) = (of(|cost| cost.cpu_us), of(|cost| cost.allocations));
        let (bytes, requests) = (of(|cost| cost.bytes), of(|cost| cost.requests));
        for (row, name) in [plain, verb, "  difference"].into_iter().enumerate() {
            println!(
                "{name:<24}{:>10.1}{:>10.0}{:>10.0}{:>10.2}",
                cpu[row], allocations[row], bytes[row], requests[row]
            );
        }
        let ratios = sorted(pairs.iter().map(|(plain, ours)| 100.0 * (ours.cpu_us / plain.cpu_us - 1.0)));
        // How many of n are below the median is binomial: n/2, give or take 2.576 standard deviations of sqrt(n)/2.
        let (middle, give_or_take) = (ratios.len() / 2, (2.576 * (ratios.len() as f64).sqrt() / 2.0).ceil() as usize);
        let (cpu_per_cent, between) = (ratios[middle], [ratios[middle - give_or_take], ratios[middle + give_or_take]]);
        println!("{:<24}{cpu_per_cent:>+9.1}%  {:+.1} to {:+.1}\n", "", between[0], between[1]);
        Difference { cpu_per_cent, between, allocations: allocations[2], requests: requests[2] }
    }

    fn block(&self, call: &impl AsyncFn()) -> Cost {
        let (requests, start) = (self.requests.load(Ordering::Relaxed), ThreadTime::now());
        let allocated: AllocationInfo = allocation_counter::measure(|| {
            self.runtime.block_on(async {
                for _ in 0..self.blocks.calls {
                    call().await;
                }
            });
        });
        let (cpu, requests) = (start.elapsed(), self.requests.load(Ordering::Relaxed) - requests);
        let per_call = |total: f64| total / self.blocks.calls as f64;
        Cost {
            cpu_us: per_call(cpu.as_secs_f64() * 1e6),
            allocations: per_call(allocated.count_total as f64),
            bytes: per_call(allocated.bytes_total as f64),
            requests: per_call(requests as f64),
        }
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let figures = sorted(figures);
    figures[figures.len() / 2]
}

fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
}

/// A peer that takes whatever it is sent. It counts the requests.
///
/// It serves all connections on one thread, so that both clients have the same way to it: a thread for each would be on the
/// client's processor or on another, and stay there, which makes half as much again of a call's CPU.
fn peer(requests: &Arc<AtomicU64>, answer: Answer) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    listener.set_nonblocking(true).expect("it is a socket");
    let requests = Arc::clone(requests);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("it is a socket");
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&requests), answer));
            }
        });
    });
    address
}

async fn serve(connection: TcpStream, requests: Arc<AtomicU64>, answer: Answer) {
    connection.set_nodelay(true).expect("it is a socket");
    let (incoming, mut outgoing) = connection.into_split();
    let mut incoming = BufReader::new(incoming);
    let (mut line, mut target, mut body) = (String::new(), String::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            match incoming.read_line(&mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().expect("a length is a number");
                }
                Some((name, value)) if name.eq_ignore_ascii_case("x-amz-target") => {
                    target = value.rsplit('.').next().unwrap_or_default().to_owned();
                }
                Some(_) => {}
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        body.resize(length, 0);
        if incoming.read_exact(&mut body).await.is_err() {
            return;
        }
        requests.fetch_add(1, Ordering::Relaxed);
        let answer = answer(&target, &body);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-requestid: 0";
        let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        if outgoing.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
