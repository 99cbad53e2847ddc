//! Key templates and indexes that can't be.

use dynamo_once::Item;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user}")]
struct UnknownField {
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id}{order_id}")]
struct NothingBetween {
    user_id: String,
    order_id: u64,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "{user_id}AND%{order_id}")]
struct NoSeparator {
    user_id: String,
    order_id: u64,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id")]
struct OpenBrace {
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#user_id}")]
struct ClosingBrace {
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{}")]
struct NoName {
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id:10}")]
struct NoWidth {
    user_id: u64,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id}#{user_id}")]
struct TakenTwice {
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "")]
struct Empty {
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id}")]
struct MarkedToo {
    #[item(partition_key)]
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key)]
struct MarkedOnTheStruct {
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id}")]
struct Clash {
    user_id: String,
    pk: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id}", sort_key = "PROFILE", sort_key_attribute = "pk")]
struct OneAttributeForTwo {
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(sort_key_attribute = "SK")]
struct AttributeOfNothing {
    #[item(partition_key)]
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id}", sort_key = "V#{version}")]
struct OfTheVersion {
    user_id: String,
    #[item(version)]
    version: u64,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id}", partition_key_attribute = "version")]
struct InTheVersion {
    user_id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id}", sort_key = "{a}#{b}#{c}#{d}#{e}")]
struct TooManyParts {
    user_id: String,
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
}

#[derive(Serialize, Deserialize, Item)]
#[item(partition_key = "USER#{user_id}", tombstones(ttl = "user_id"))]
struct ExpiresByItsKey {
    user_id: u64,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(partition_key = status))]
struct NamelessIndex {
    #[item(partition_key)]
    id: String,
    status: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(name = "by-status"))]
struct KeylessIndex {
    #[item(partition_key)]
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(name = "by-status", partition_key = state))]
struct IndexOfAnUnknownField {
    #[item(partition_key)]
    id: String,
    status: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(name = "by-status", local, partition_key = status, sort_key = status))]
struct LocalWithPartitionKey {
    #[item(partition_key)]
    id: String,
    status: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(name = "by-status", local))]
struct LocalWithoutSortKey {
    #[item(partition_key)]
    id: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(name = "by status", partition_key = status))]
struct IndexNameThatIsNone {
    #[item(partition_key)]
    id: String,
    status: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(name = "2nd", partition_key = status))]
struct FunctionNameThatIsNone {
    #[item(partition_key)]
    id: String,
    status: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(name = "by-status", partition_key = status), index(name = "by_status", partition_key = status))]
struct TwoFunctions {
    #[item(partition_key)]
    id: String,
    status: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(name = "by-status", partition_key = status, partition_key_attribute = "GSI1PK"))]
struct IndexAttributeOfNothing {
    #[item(partition_key)]
    id: String,
    status: String,
}

#[derive(Serialize, Deserialize, Item)]
#[item(index(name = "by-status", partition_key = status, unique))]
struct UnknownOption {
    #[item(partition_key)]
    id: String,
    status: String,
}

fn main() {}
