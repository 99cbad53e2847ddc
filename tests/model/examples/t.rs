use dynamo_once_model::*;
fn main(){let t=std::time::Instant::now();
 let f=check_ties(if std::env::var("TIES").is_ok() {Scope::Large} else {Scope::Small},None);
 println!("{} {:?}",f,t.elapsed());
 if std::env::var("TIES").is_err() { for r in Rule::OF_TIES { let t=std::time::Instant::now(); let f=check_ties(Scope::Small,Some(r)); println!("without {r:?}: {} {} {:?}",f.states,f.violation.map_or("NONE".to_string(),|v| v.lines().take(2).collect::<Vec<_>>().join(" ")),t.elapsed()); } }
}
