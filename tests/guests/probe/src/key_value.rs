//! `spin:key-value@3.0.0`.

use spin_sdk::key_value::Store;

use crate::{Seen, compare, done};

pub async fn case(case: &str) -> Seen {
    match case {
        "functions" => functions().await,
        "refused" => refused().await,
        "left" => {
            let store = Store::open("default").await?;
            Ok(format!("{:?}", store.get("kept").await?))
        }
        _ => Err(format!("no case {case}").into()),
    }
}

async fn functions() -> Seen {
    let store = Store::open_default().await?;
    compare(store.get("probe").await?, "None")?;
    store.set("probe", b"1").await?;
    store.set("empty", b"").await?;
    compare(store.get("probe").await?, "Some([49])")?;
    compare(store.get("empty").await?, "Some([])")?;
    compare(store.exists("probe").await?, "true")?;
    let mut keys = store.get_keys().await.collect().await?;
    keys.sort();
    compare(keys, "[\"empty\", \"probe\"]")?;
    store.set_json("json", &[1, 2]).await?;
    compare(store.get_json::<Vec<u8>>("json").await?, "Some([1, 2])")?;
    store.delete("probe").await?;
    store.delete("probe").await?;
    compare(store.exists("probe").await?, "false")?;
    let other = Store::open("second").await?;
    compare(other.exists("empty").await?, "false")?;
    store.set("kept", b"7").await?;
    done()
}

async fn refused() -> Seen {
    let denied = Store::open("other").await.err();
    compare(denied, "Some(Error::AccessDenied)")?;
    let mut open = Vec::new();
    let full = loop {
        match Store::open("default").await {
            Ok(store) => open.push(store),
            Err(error) => break error,
        }
    };
    compare(full, "Error::StoreTableFull")?;
    compare(open.len(), "256")?;
    drop(open);
    let store = Store::open("default").await?;
    let big = store.set("big", vec![0; 1_048_577]).await.err();
    compare(big.is_some(), "true")?;
    done()
}
