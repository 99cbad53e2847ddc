use dynamo_once_model::*;
fn main(){let t=std::time::Instant::now();
 let s=if std::env::args().nth(1).as_deref()==Some("large"){Scope::Large}else{Scope::Small};
 println!("{} {:?}",check_ties(s,None),t.elapsed());}
