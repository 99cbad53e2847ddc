//! A small shop in a single table, on an engine in this process: `cargo run --example shop`.
//!
//! Customers, their orders and the orders' lines live side by side; one index finds the orders that are still open. With
//! `AWS_ENDPOINT_URL` set it runs there instead.

use aws_sdk_dynamodb::Client;
use dynamo_once::testing::Embedded;
use dynamo_once::{Document, EpochMillis, Item, Meter, Newtype, Projection, Store, Table};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "CUSTOMER#{id}", sort_key = "PROFILE")]
struct Customer {
    id: String,
    name: String,
    address: Address,
}

#[derive(Debug, Clone, Serialize, Deserialize, Document)]
struct Address {
    street: String,
    city: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "CUSTOMER#{customer}", sort_key = "ORDER#{number:08}")]
#[item(index(name = "by-status", partition_key = status, sort_key = placed, function = in_status))]
struct Order {
    customer: String,
    number: u64,
    /// An order that is done has none, and leaves the index.
    status: Option<Status>,
    total: Cents,
    #[item(created_at)]
    #[serde(default)]
    placed: EpochMillis,
}

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "shop", partition_key = "ORDER#{customer}#{order}", sort_key = "LINE#{line:04}")]
struct Line {
    customer: String,
    order: u64,
    line: u64,
    product: String,
    pieces: u32,
    price: Cents,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, dynamo_once::KeyAttribute)]
struct Status(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Newtype)]
struct Cents(i64);

/// What a list of orders shows.
#[derive(Debug, Deserialize, Projection)]
#[projection(of = Order)]
struct Receipt {
    number: u64,
    total: Cents,
}

struct Shop {
    customers: Table<Customer>,
    orders: Table<Order>,
    lines: Table<Line>,
}

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

impl Shop {
    async fn open(store: &Store) -> Outcome<Self> {
        let shop = Self { customers: store.table(), orders: store.table(), lines: store.table() };
        shop.customers.create_if_missing().await?;
        shop.orders.create_if_missing().await?; // The index is the orders'.
        Ok(shop)
    }

    /// Places an order once, however often the request for it is delivered.
    async fn place(&self, order: &Order, basket: &[(&str, u32, Cents)], request: &str) -> Outcome {
        let lines = basket.iter().zip(1..).map(|((product, pieces, price), line)| Line {
            customer: order.customer.clone(),
            order: order.number,
            line,
            product: (*product).to_owned(),
            pieces: *pieces,
            price: *price,
        });
        for written in self.lines.insert_many(lines).keyed(|_| request).send().await {
            written?;
        }
        self.orders.insert(order).keyed(request).send().await?;
        Ok(())
    }

    async fn ship(&self, customer: &str, number: u64) -> Outcome {
        let f = Order::FIELDS;
        let order = self.orders.update(Order::key(customer, number)).set(f.status, status("shipped"));
        order.when(f.status.eq(status("open"))).send().await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Outcome {
    let engine = Embedded::start().await;
    let config = match std::env::var("AWS_ENDPOINT_URL") {
        Ok(_) => (&aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await).into(),
        Err(_) => engine.config().build(),
    };
    let meter = Meter::new();
    let store = Store::builder(config.clone()).table_prefix(format!("{}-", std::process::id())).meter(&meter).build();
    let shop = Shop::open(&store).await?;
    let story = a_day(&shop).await;
    Client::from_conf(config).delete_table().table_name(shop.orders.name()).send().await?;
    println!("\nWhat it took:\n{meter}");
    story?;
    println!("Each order was placed once.");
    Ok(())
}

async fn a_day(shop: &Shop) -> Outcome {
    let address = Address { street: "Via Roma 1".into(), city: "Torino".into() };
    for (id, name) in [("ann", "Ann"), ("bob", "Bob")] {
        let customer = Customer { id: id.into(), name: name.into(), address: address.clone() };
        shop.customers.insert(&customer).send().await?;
    }

    println!("Ann orders five times, and her browser sends each request twice.");
    let basket = [("tea", 2, Cents(450)), ("cup", 1, Cents(1200))];
    for number in 1..=5 {
        let order = Order {
            customer: "ann".into(),
            number,
            status: status("open"),
            total: Cents(2100),
            placed: EpochMillis::default(),
        };
        for _ in 0..2 {
            shop.place(&order, &basket, &format!("request-{number}")).await?;
        }
    }
    println!("  She has {} orders.", shop.orders.query(Order::keys("ann")).count().await?);

    println!("Two of them leave the house.");
    shop.ship("ann", 1).await?;
    shop.ship("ann", 2).await?;
    let again = shop.ship("ann", 2).await;
    println!("  The second once more: {}", again.err().ok_or("it has left already")?);

    println!("Her orders, the latest first, two to a page:");
    let mut next = None;
    loop {
        let latest = shop.orders.query(Order::keys("ann")).descending().limit(2).project::<Receipt>();
        let latest = match next.take() {
            Some(token) => latest.start_after(token),
            None => latest,
        };
        let page = latest.page().await?;
        for order in page.items() {
            println!("  {}: {:.2} EUR", order.number, order.total.0 as f64 / 100.0);
        }
        match page.next_token() {
            Some(token) => next = Some(token.to_string().parse()?), // As a link's text, and back.
            None => break,
        }
    }

    println!("What is open, for whoever packs it:");
    let mut open = shop.orders.query(Order::in_status(Status("open".into()))).items();
    while let Some(order) = open.next().await {
        let order = order?;
        let lines =
            shop.lines.query(Line::keys(&order.customer, order.number)).filter(Line::FIELDS.pieces.ge(1)).items();
        for line in lines.collect().await? {
            println!("  order {}: {} x {}", order.number, line.pieces, line.product);
        }
    }

    println!("Ann moves, and everyone with an order of hers is looked up at once.");
    let f = Customer::FIELDS;
    let city = f.address.field(|address| address.city);
    shop.customers.update(Customer::key("ann")).set(city.clone(), "Milano").when(city.eq("Torino")).send().await?;
    for customer in shop.customers.get_many(["ann", "bob", "eve"].map(Customer::key)).send().await? {
        match customer? {
            Some(customer) => println!("  {} in {}", customer.name, customer.address.city),
            None => println!("  nobody of that name"),
        }
    }
    let (customers, orders) = (shop.customers.scan().count().await?, shop.orders.scan().count().await?);
    println!("In all there are {customers} customers and {orders} orders.");
    if orders == 5 { Ok(()) } else { Err("a request was delivered twice, and so was its order".into()) }
}

fn status(name: &str) -> Option<Status> {
    Some(Status(name.to_owned()))
}
