//! `wasi:keyvalue@0.2.0-draft2`.

use spin_sdk::experimental::wasi::keyvalue::atomics::{self, Cas, CasError};
use spin_sdk::experimental::wasi::keyvalue::{batch, store};

use crate::{Seen, compare, done};

pub async fn case(case: &str) -> Seen {
    match case {
        "store" => store(),
        "batch" => batch(),
        "atomics" => atomics(),
        _ => Err(format!("no case {case}").into()),
    }
}

fn store() -> Seen {
    let denied = store::open("other").err();
    compare(denied, "Some(Error::AccessDenied)")?;
    let bucket = store::open("default")?;
    compare(bucket.get("wasi"), "Ok(None)")?;
    bucket.set("wasi", b"1")?;
    compare(bucket.get("wasi"), "Ok(Some([49]))")?;
    compare(bucket.exists("wasi"), "Ok(true)")?;
    let page = bucket.list_keys(None)?;
    compare(page.keys.contains(&"wasi".to_owned()), "true")?;
    compare(page.cursor, "None")?;
    let page = bucket.list_keys(Some("wasi"))?;
    compare(page.keys.contains(&"wasi".to_owned()), "false")?;
    bucket.delete("wasi")?;
    compare(bucket.exists("wasi"), "Ok(false)")?;
    done()
}

fn batch() -> Seen {
    let bucket = store::open("default")?;
    let pairs = [("m1".to_owned(), vec![1]), ("m2".to_owned(), vec![2])];
    batch::set_many(&bucket, &pairs)?;
    let names = ["m2", "m3", "m1"].map(str::to_owned);
    let seen = batch::get_many(&bucket, &names)?;
    let expected = "[(\"m2\", Some([2])), (\"m3\", None), (\"m1\", Some([1]))]";
    compare(seen, expected)?;
    batch::delete_many(&bucket, &names)?;
    compare(bucket.exists("m1"), "Ok(false)")?;
    done()
}

fn atomics() -> Seen {
    let bucket = store::open("default")?;
    bucket.delete("n")?;
    compare(atomics::increment(&bucket, "n", 5), "Ok(5)")?;
    compare(atomics::increment(&bucket, "n", -7), "Ok(-2)")?;
    bucket.set("word", b"a")?;
    let fault = atomics::increment(&bucket, "word", 1);
    compare(matches!(fault, Err(store::Error::Other(_))), "true")?;

    let first = Cas::new(&bucket, "word")?;
    compare(first.current(), "Ok(Some([97]))")?;
    let second = Cas::new(&bucket, "word")?;
    compare(atomics::swap(first, b"b").is_ok(), "true")?;
    let third = match atomics::swap(second, b"c") {
        Err(CasError::CasFailed(third)) => third,
        other => return Err(format!("swapped what had changed: {other:?}").into()),
    };
    compare(third.current(), "Ok(Some([98]))")?;
    compare(atomics::swap(third, b"c").is_ok(), "true")?;
    compare(bucket.get("word"), "Ok(Some([99]))")?;
    bucket.delete("word")?;
    let absent = Cas::new(&bucket, "word")?;
    compare(absent.current(), "Ok(None)")?;
    compare(atomics::swap(absent, b"d").is_ok(), "true")?;
    // What the host keeps for a component's swaps: 16 MiB of keys and values.
    bucket.set("word", &[b'x'; (1 << 20) - 4])?;
    let open = || Cas::new(&bucket, "word");
    let mut held = (0..16).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    compare(matches!(open(), Err(store::Error::Other(_))), "true")?;
    held.pop();
    compare(open().is_ok(), "true")?;
    drop(held);
    bucket.delete("word")?;
    bucket.delete("n")?;
    done()
}
