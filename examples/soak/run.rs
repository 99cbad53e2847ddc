//! A run: an engine process, client processes, and their deaths.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_dynamodb::error::BoxError;
use dynamo_once::Store;
use tokio::time::{Instant, sleep_until};

use crate::child::Child;
use crate::client::config;
use crate::history::{History, Image};
use crate::journal::{Reader, Sent};
use crate::memory::Memory;
use crate::options::Options;
use crate::report;
use crate::row::Row;

/// How often the processes are looked at.
const TICK: Duration = Duration::from_millis(250);
const SAMPLE: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);
/// Between two restarts of the engine, in seconds.
const ENGINE_LIVES: std::ops::Range<f64> = 20.0..60.0;
const ENGINE_IS_GONE: std::ops::Range<f64> = 0.5..2.5;
/// Between two deaths of clients, in seconds.
const CLIENTS_LIVE: std::ops::Range<f64> = 10.0..30.0;
/// How long a client may take to come to its end, and an engine to its beginning.
const PATIENCE: Duration = Duration::from_secs(30);
/// After the last client: requests that it left in a socket have arrived by then.
const CALM: Duration = Duration::from_secs(2);

/// A run as it goes on.
pub(crate) struct Run {
    endpoint: String,
    port: u16,
    folder: PathBuf,
    random: fastrand::Rng,
    engine: Option<Child>,
    clients: Vec<Client>,
    journals: Vec<Reader>,
    pub(crate) history: History,
    /// Of the client that is never killed.
    pub(crate) memory: Memory,
    /// Of those that live.
    pub(crate) others_memory: BTreeMap<u32, Memory>,
    pub(crate) engine_memory: Memory,
    pub(crate) restarts: usize,
    pub(crate) kills: usize,
    pub(crate) began: Instant,
}

struct Client {
    number: u32,
    child: Child,
}

/// Runs it and prints the report; whether every promise was kept.
pub(crate) async fn run(options: &Options) -> Result<bool, BoxError> {
    let folder = std::env::temp_dir().join(format!("soak-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let mut run = Run::prepare(options, folder.clone()).await?;
    run.weather(options).await?;
    run.end().await?;
    drop(run.engine.take());
    let kept = report::print(options, &run);
    if kept {
        std::fs::remove_dir_all(folder)?;
    } else {
        println!("The journals and the tables are in {}", folder.display());
    }
    Ok(kept)
}

impl Run {
    async fn prepare(options: &Options, folder: PathBuf) -> Result<Self, BoxError> {
        let mut random = fastrand::Rng::with_seed(options.seed);
        let port = free_port()?;
        let mut run = Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            port,
            folder,
            random: random.fork(),
            engine: None,
            clients: Vec::new(),
            journals: Vec::new(),
            history: History::default(),
            memory: Memory::default(),
            others_memory: BTreeMap::new(),
            engine_memory: Memory::default(),
            restarts: 0,
            kills: 0,
            began: Instant::now(),
        };
        run.start_engine().await?;
        Store::new(config(&run.endpoint).build()).table::<Row>().create_if_missing().await?;
        for _ in 0..options.processes {
            run.start_client(options)?;
        }
        run.began = Instant::now();
        Ok(run)
    }

    async fn weather(&mut self, options: &Options) -> Result<(), BoxError> {
        let end = self.began + Duration::from_secs_f64(options.minutes * 60.0);
        let mut next_sample = self.began;
        let mut next_minute = self.began + MINUTE;
        let mut engine_dies = self.began + self.some(ENGINE_LIVES);
        let mut client_dies = self.began + self.some(CLIENTS_LIVE);
        while Instant::now() < end {
            sleep_until(Instant::now() + TICK).await;
            self.look_after()?;
            let now = Instant::now();
            if now >= next_sample {
                next_sample = now + SAMPLE;
                self.sample();
            }
            if now >= next_minute {
                next_minute += MINUTE;
                self.read_journals()?;
                report::print_minute(self);
            }
            if now >= client_dies {
                client_dies = now + self.some(CLIENTS_LIVE);
                self.replace_client(options)?;
            }
            if now >= engine_dies {
                if let Some(engine) = self.engine.take() {
                    engine.kill()?;
                }
                sleep_until(Instant::now() + self.some(ENGINE_IS_GONE)).await;
                self.start_engine().await?;
                self.restarts += 1;
                engine_dies = Instant::now() + self.some(ENGINE_LIVES);
            }
        }
        Ok(())
    }

    /// Lets the clients come to their ends, and reads what there is to read.
    async fn end(&mut self) -> Result<(), BoxError> {
        for client in &mut self.clients {
            client.child.finish();
        }
        let patience = Instant::now() + PATIENCE;
        for client in &mut self.clients {
            let ended = loop {
                match client.child.ended()? {
                    Some(ended) => break ended,
                    None if Instant::now() > patience => return Err("a client doesn't come to its end".into()),
                    None => sleep_until(Instant::now() + TICK).await,
                }
            };
            if !ended.success() {
                return Err(format!("client {}: {ended}", client.number).into());
            }
        }
        sleep_until(Instant::now() + CALM).await;
        self.read_journals()?;
        let scan = aws_sdk_dynamodb::Client::from_conf(config(&self.endpoint).build()).scan();
        let mut pages = scan.table_name("soak").consistent_read(true).into_paginator().items().send();
        while let Some(item) = pages.next().await {
            let item = item?;
            if !item.contains_key(TOMBSTONE) {
                let row: Row = serde_dynamo::from_item(item)?;
                let image: Image = row.image()?;
                self.history.items.insert(row.id, image);
            }
        }
        Ok(())
    }

    async fn start_engine(&mut self) -> Result<(), BoxError> {
        let (port, file) = (self.port.to_string(), self.folder.join("tables"));
        self.engine = Some(Child::start(["engine".as_ref(), port.as_ref(), file.as_os_str()])?);
        let patience = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            self.look_after()?;
            if Instant::now() > patience {
                return Err("the engine doesn't listen".into());
            }
            sleep_until(Instant::now() + TICK / 10).await;
        }
        Ok(())
    }

    /// A client with the next number, so that its tokens are new.
    fn start_client(&mut self, options: &Options) -> Result<(), BoxError> {
        let number = self.journals.len() as u32;
        let journal = self.folder.join(format!("journal-{number}"));
        self.journals.push(Reader::open(&journal)?);
        let child = Child::start([
            "--writers".to_owned(),
            options.writers.to_string(),
            "--seed".to_owned(),
            options.seed.to_string(),
            "client".to_owned(),
            number.to_string(),
            self.endpoint.clone(),
            text(&journal)?,
        ])?;
        self.clients.push(Client { number, child });
        Ok(())
    }

    /// Kills a client, but never the first.
    fn replace_client(&mut self, options: &Options) -> Result<(), BoxError> {
        if self.clients.len() > 1 {
            let victim = self.random.usize(1..self.clients.len());
            let Client { number, child } = self.clients.swap_remove(victim);
            self.others_memory.remove(&number);
            child.kill()?;
            self.kills += 1;
            self.start_client(options)?;
        }
        Ok(())
    }

    /// No process ends by itself.
    fn look_after(&mut self) -> Result<(), BoxError> {
        if let Some(ended) = self.engine.as_mut().map(Child::ended).transpose()?.flatten() {
            return Err(format!("the engine ended by itself: {ended}").into());
        }
        for Client { number, child } in &mut self.clients {
            if let Some(ended) = child.ended()? {
                return Err(format!("client {number} ended by itself: {ended}").into());
            }
        }
        Ok(())
    }

    fn sample(&mut self) {
        if let Some(engine) = &self.engine {
            self.engine_memory.sample(engine.id());
        }
        for Client { number, child } in &self.clients {
            let memory = match number {
                0 => &mut self.memory,
                number => self.others_memory.entry(*number).or_default(),
            };
            memory.sample(child.id());
        }
    }

    fn read_journals(&mut self) -> Result<(), BoxError> {
        self.journals.iter_mut().try_for_each(|journal| journal.read(&mut self.history))
    }

    /// As of the last second of each client.
    pub(crate) fn sent(&self) -> Sent {
        self.journals.iter().fold(Sent::default(), |sum, journal| Sent {
            requests: sum.requests + journal.sent.requests,
            faults: sum.faults + journal.sent.faults,
        })
    }

    fn some(&mut self, seconds: std::ops::Range<f64>) -> Duration {
        Duration::from_secs_f64(seconds.start + self.random.f64() * (seconds.end - seconds.start))
    }
}

/// Below those that systems give to outgoing connections: one of those could take the engine's while it is gone.
fn free_port() -> Result<u16, BoxError> {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    Ok((first..32_000).find(free).ok_or("no port is free")?)
}

fn text(path: &Path) -> Result<String, BoxError> {
    Ok(path.to_str().ok_or("the path of the temporary folder is no text")?.to_owned())
}

/// The attribute that marks a tombstone.
const TOMBSTONE: &str = "_wt";
