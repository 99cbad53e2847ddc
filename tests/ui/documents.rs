use dynamo_once::{Document, Newtype};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Document)]
enum Payment {
    Card { number: String },
}

#[derive(Serialize, Deserialize, Document)]
struct Pair(u32, u32);

#[derive(Serialize, Deserialize, Document)]
struct Page<E> {
    element: E,
}

#[derive(Serialize, Deserialize, Newtype)]
struct Two(u32, u32);

#[derive(Serialize, Deserialize, Newtype)]
struct Bytes(#[serde(with = "serde_bytes")] Vec<u8>);

#[derive(Serialize, Deserialize, Newtype)]
struct Named {
    text: String,
}

fn main() {}
