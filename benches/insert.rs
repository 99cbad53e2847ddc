//! What the crate costs on top of the plain SDK: CPU and allocations of a call, over a loopback connection to a peer that
//! answers at once.
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
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::{Client, Config};
use cpu_time::ThreadTime;
use dynamo_once::{Item, Store, Table};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// More CPU than the plain SDK that an `insert` may take, in per cent.
const MOST_CPU: f64 = 8.0;
/// More allocations than the plain SDK that an `insert` may make.
const MOST_ALLOCATIONS: f64 = 30.0;

/// Few, so that what comes and goes on the machine hits both of a pair, or is an outlier of one.
const CALLS_PER_BLOCK: u64 = 10;
const BLOCKS: usize = 3000;
const WARM_UP_BLOCKS: usize = 200;

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "orders")]
struct Order {
    #[item(partition_key)]
    id: String,
    customer: String,
    status: String,
    currency: String,
    total_cents: i64,
    discount: f64,
    paid: bool,
    note: Option<String>,
    tags: Vec<String>,
    placed_at: u64,
}

fn order() -> Order {
    Order {
        id: "order-2f1c9a".into(),
        customer: "customer-81723".into(),
        status: "placed".into(),
        currency: "EUR".into(),
        total_cents: 12_345,
        discount: 0.25,
        paid: true,
        note: Some("leave it with the neighbours".into()),
        tags: vec!["gift".into(), "express".into()],
        placed_at: 1_800_000_000,
    }
}

fn main() -> ExitCode {
    let bench = Bench::new();
    let report_only = std::env::var("DYNAMO_ONCE_BENCH_REPORT_ONLY").is_ok_and(|value| value == "1");
    let (client, orders, order) = (&bench.client, &bench.orders, &order());

    println!("{BLOCKS} blocks of {CALLS_PER_BLOCK} calls each, medians per call\n");
    println!("{:<24}{:>10}{:>10}{:>10}{:>10}", "", "CPU us", "allocs", "bytes", "requests");
    let insert = bench.compare(
        "put_item, conditional",
        async || {
            let item = serde_dynamo::to_item(order).expect("it is an item");
            let request = client.put_item().table_name("orders").set_item(Some(item));
            request.condition_expression("attribute_not_exists(id)").send().await.expect("answered");
        },
        "insert",
        async || {
            orders.insert(order).send().await.expect("inserted");
        },
    );
    bench.compare(
        "put_item",
        async || {
            let item = serde_dynamo::to_item(order).expect("it is an item");
            client.put_item().table_name("orders").set_item(Some(item)).send().await.expect("answered");
        },
        "upsert",
        async || {
            orders.upsert(order).send().await.expect("written");
        },
    );
    bench.compare(
        "update_item",
        async || {
            let request = client.update_item().table_name("orders").key("id", AttributeValue::S(order.id.clone()));
            let request = request.update_expression("SET #status = :status ADD total_cents :cents");
            let request = request.expression_attribute_names("#status", "status");
            let request = request.expression_attribute_values(":status", AttributeValue::S("sent".into()));
            let request = request.expression_attribute_values(":cents", AttributeValue::N("7".into()));
            request.condition_expression("attribute_exists(id)").send().await.expect("answered");
        },
        "update",
        async || {
            let update = orders.update(&order.id).set(Order::FIELDS.status, "sent").add(Order::FIELDS.total_cents, 7);
            update.send().await.expect("updated");
        },
    );
    bench.compare(
        "get_item",
        async || {
            let request = client.get_item().table_name("orders").key("id", AttributeValue::S(order.id.clone()));
            let item = request.consistent_read(true).send().await.expect("answered").item.expect("there is one");
            let _: Order = serde_dynamo::from_item(item).expect("it is an order");
        },
        "get",
        async || {
            orders.get(&order.id).send().await.expect("read").expect("there is one");
        },
    );

    let within = insert.cpu_per_cent <= MOST_CPU && insert.allocations <= MOST_ALLOCATIONS;
    println!(
        "insert: {:+.1} % CPU, {:+.1} to {:+.1} (limit {MOST_CPU:+} %), {:+.1} allocations (limit {MOST_ALLOCATIONS:+}): {}",
        insert.cpu_per_cent,
        insert.between[0],
        insert.between[1],
        insert.allocations,
        if within { "within its limits" } else { "over its limits" }
    );
    if within || report_only { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Bench {
    runtime: Runtime,
    requests: Arc<AtomicU64>,
    client: Client,
    orders: Table<Order>,
}

/// What one call costs, on the average of a block.
#[derive(Clone, Copy)]
struct Cost {
    cpu_us: f64,
    allocations: f64,
    bytes: f64,
    requests: f64,
}

/// What a verb costs more than the plain SDK: the median over pairs of neighbouring blocks.
struct Difference {
    cpu_per_cent: f64,
    /// Where that median is with 99 % certainty.
    between: [f64; 2],
    allocations: f64,
}

impl Bench {
    fn new() -> Self {
        let requests = Arc::new(AtomicU64::new(0));
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
            .endpoint_url(format!("http://{}", peer(&requests)))
            .build();
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
            requests,
            client: Client::from_conf(config.clone()),
            orders: Store::new(config).table(),
        }
    }

    fn compare(&self, plain: &str, plainly: impl AsyncFn(), verb: &str, ours: impl AsyncFn()) -> Difference {
        let mut pairs = Vec::with_capacity(BLOCKS);
        for block in 0..WARM_UP_BLOCKS + BLOCKS {
            // Each goes first as often as the other.
            let pair = if block % 2 == 0 {
                let plain = self.block(&plainly);
                (plain, self.block(&ours))
            } else {
                let ours = self.block(&ours);
                (self.block(&plainly), ours)
            };
            if block >= WARM_UP_BLOCKS {
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
        Difference { cpu_per_cent, between, allocations: allocations[2] }
    }

    fn block(&self, call: &impl AsyncFn()) -> Cost {
        let (requests, start) = (self.requests.load(Ordering::Relaxed), ThreadTime::now());
        let allocated: AllocationInfo = allocation_counter::measure(|| {
            self.runtime.block_on(async {
                for _ in 0..CALLS_PER_BLOCK {
                    call().await;
                }
            });
        });
        let (cpu, requests) = (start.elapsed(), self.requests.load(Ordering::Relaxed) - requests);
        let per_call = |total: f64| total / CALLS_PER_BLOCK as f64;
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

/// A peer that has an order and takes whatever it is sent. It counts the requests.
///
/// It serves all connections on one thread, so that both clients have the same way to it: a thread for each would be on the
/// client's processor or on another, and stay there, which makes half as much again of a call's CPU.
fn peer(requests: &Arc<AtomicU64>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    listener.set_nonblocking(true).expect("it is a socket");
    let requests = Arc::clone(requests);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("it is a socket");
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&requests)));
            }
        });
    });
    address
}

async fn serve(connection: TcpStream, requests: Arc<AtomicU64>) {
    const ITEM: &str = r#"{"id":{"S":"order-2f1c9a"},"customer":{"S":"customer-81723"},"status":{"S":"placed"},"currency":{"S":"EUR"},"total_cents":{"N":"12345"},"discount":{"N":"0.25"},"paid":{"BOOL":true},"note":{"S":"leave it with the neighbours"},"tags":{"L":[{"S":"gift"},{"S":"express"}]},"placed_at":{"N":"1800000000"},"version":{"N":"1"},"_wb":{"B":"AZGt0ncAcACAAAAAAAAAAA=="},"_w3":{"B":"AZGt0ncAcACAAAAAAAAAAA=="}}"#;
    let answer = |body: &str| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-requestid: 0";
        format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let (nothing, read) = (answer("{}"), answer(&format!(r#"{{"Item":{ITEM}}}"#)));
    let written = answer(&format!(r#"{{"Attributes":{ITEM}}}"#));

    connection.set_nodelay(true).expect("it is a socket");
    let (incoming, mut outgoing) = connection.into_split();
    let mut incoming = BufReader::new(incoming);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let (mut length, mut is_read) = (0, false);
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
                    is_read = value.ends_with("GetItem")
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
        let returns_item = body.windows(b"ALL_NEW".len()).any(|window| window == b"ALL_NEW");
        let answer = if is_read {
            &read
        } else if returns_item {
            &written
        } else {
            &nothing
        };
        if outgoing.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
