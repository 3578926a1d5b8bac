//! A replicated, ordered key-value service: members that openraft keeps alike, each over a nori
//! store. `cargo xtask cluster` starts three of them on this machine.

use axum::serve;
use hyper::Method;
use replicated_kv::client::{Client, Failed, unescape};
use replicated_kv::server::{Member, Setup};
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str = "\
replicated-kv serve ID LISTEN DIR [--snapshot-every N] [--viz ADDR]
replicated-kv MEMBER[,MEMBER..] put KEY VALUE | get KEY | delete KEY | range FROM TO
replicated-kv MEMBER init 1=ADDR,2=ADDR,3=ADDR
replicated-kv MEMBER[,MEMBER..] learner ID ADDR | members ID,ID,.. | state

Keys are text in which %XX stands for any byte. A member's ADDR is where it listens.";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match &args[..] {
        ["serve", id, listen, dir, options @ ..] => run(id, listen, dir, options).await,
        [members, call @ ..] => ask(members, call).await,
        [] => Err(USAGE.into()),
    }
}

/// A member, until it is told to stop.
async fn run(id: &str, listen: &str, dir: &str, options: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut setup = Setup { id: id.parse()?, dir: PathBuf::from(dir), snapshot_every: 20_000 };
    let mut viz = None;
    for option in options.chunks(2) {
        match option {
            ["--snapshot-every", entries] => setup.snapshot_every = entries.parse()?,
            ["--viz", at] => viz = Some(at.parse()?),
            _ => return Err(USAGE.into()),
        }
    }
    let member = Member::start(&setup).await.map_err(|e| e.to_string())?;
    let watched = viz.map(|at| nori_viz::serve(member.store(), at)).transpose()?;
    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("member {id} listens on {listen}, store in {dir}");
    let stop = async {
        // A system without signals runs until it is ended.
        let _ = tokio::signal::ctrl_c().await;
    };
    serve(listener, member.clone().routes()).with_graceful_shutdown(stop).await?;
    drop(watched);
    member.stop().await.map_err(|e| e.to_string())?;
    Ok(())
}

/// A call of a client.
async fn ask(members: &str, call: &[&str]) -> Result<(), Box<dyn Error>> {
    let members: Vec<String> = members.split(',').map(str::to_string).collect();
    let client = Client::new(members.clone(), Duration::from_secs(10));
    let key = |text: &str| unescape(text).ok_or("a key is text in which %XX stands for a byte");
    match call {
        ["put", name, value] => client.put(&key(name)?, value.as_bytes()).await?,
        ["delete", name] => client.delete(&key(name)?).await?,
        ["get", name] => match client.get(&key(name)?).await? {
            Some(value) => println!("{}", value.escape_ascii()),
            None => return Err("there is no such key".into()),
        },
        ["range", from, to] => {
            let lines = client.range(&key(from)?, &key(to)?, 1_000).await?;
            print!("{}", String::from_utf8_lossy(&lines));
        }
        ["init", list] => {
            let pairs = list.split(',').filter_map(|pair| pair.split_once('='));
            let body = serde_json::Map::from_iter(pairs.map(|(id, at)| (id.into(), at.into())));
            say(client.ask(Method::POST, &members[0], "/cluster/init", json(&body)?).await?)?;
        }
        ["learner", id, at] => {
            let body = serde_json::json!({ "id": id.parse::<u64>()?, "addr": at });
            lead(&client, "/cluster/learner", json(&body)?).await?;
        }
        ["members", list] => {
            let ids: Result<Vec<u64>, _> = list.split(',').map(str::parse).collect();
            lead(&client, "/cluster/members", json(&ids?)?).await?;
        }
        ["state"] => {
            for member in &members {
                say(client.ask(Method::GET, member, "/cluster/state", Vec::new()).await?)?;
            }
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

async fn lead(client: &Client, path: &str, body: Vec<u8>) -> Result<(), Box<dyn Error>> {
    let answered: Result<_, Failed> = client.lead(Method::POST, path, body, false).await;
    say(answered?)
}

fn json<T: serde::Serialize>(body: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(body)
}

fn say((status, body): (hyper::StatusCode, axum::body::Bytes)) -> Result<(), Box<dyn Error>> {
    let said = String::from_utf8_lossy(&body);
    if !status.is_success() {
        return Err(format!("{status}: {said}").into());
    }
    println!("{}", said.trim_end());
    Ok(())
}
