//! Token ids against those of transformers: 4.28.1's slow LlamaTokenizer and the slow CLIPTokenizer, recorded by
//! `tests/reference`.

use crate::repository;
use mgie_weights::tokenizer::{ClipTokenizer, LlamaTokenizer, TextTokenizer, open};
use serde_json::Value;
use std::fs;

fn golden(name: &str) -> Value {
    let path = repository("tests/goldens").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    let id = |id: &Value| u32::try_from(id.as_u64().unwrap()).unwrap();
    value.as_array().unwrap().iter().map(id).collect()
}

/// LLaVA's tokenizer with `[IMG0]`…`[IMG7]` added, as MGIE adds them.
fn llava() -> LlamaTokenizer {
    let mut tokenizer = LlamaTokenizer::open(&repository("tests/miniature/LLaVA-7B-v1")).unwrap();
    let added: Vec<String> = (0..8).map(|i| format!("[IMG{i}]")).collect();
    tokenizer.add_tokens(&added.iter().map(String::as_str).collect::<Vec<_>>());
    tokenizer
}

#[test]
fn llama_ids_equal_those_of_the_slow_tokenizer_of_2023() {
    let (tokenizer, golden) = (llava(), golden("llama_tokenizer.json"));
    for case in golden["strings"].as_array().unwrap().iter().chain(golden["prompts"].as_array().unwrap()) {
        let text = case["text"].as_str().or(case["prompt"].as_str()).unwrap();
        assert_eq!(tokenizer.encode(text).unwrap(), ids(&case["ids"]), "{text:?}");
        if let Some(tokens) = case["tokens"].as_array() {
            let expected: Vec<&str> = tokens.iter().map(|token| token.as_str().unwrap()).collect();
            assert_eq!(tokenizer.tokenize(text), expected[1..], "{text:?}");
        }
    }
    for (token, id) in golden["added"].as_object().unwrap() {
        assert_eq!(tokenizer.token_to_id(token).map(u64::from), id.as_u64(), "{token}");
        assert_eq!(tokenizer.id_to_token(tokenizer.token_to_id(token).unwrap()).as_ref(), Some(token));
    }
    assert_eq!(tokenizer.vocabulary_size(), 611);
}

#[test]
fn llama_text_equals_that_of_the_slow_tokenizer_of_2023() {
    let (tokenizer, golden) = (llava(), golden("llama_tokenizer.json"));
    for case in golden["decode"].as_array().unwrap() {
        let ids = ids(&case["ids"]);
        assert_eq!(tokenizer.decode(&ids, false), case["text"].as_str().unwrap(), "{ids:?}");
        assert_eq!(tokenizer.decode(&ids, true), case["text_skipping_special"].as_str().unwrap(), "{ids:?}");
    }
}

#[test]
fn clip_ids_equal_those_of_the_slow_tokenizer() {
    let folder = repository("tests/miniature/instruct-pix2pix/tokenizer");
    let tokenizer = ClipTokenizer::open(&folder).unwrap();
    for case in golden("clip_tokenizer.json")["strings"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        assert_eq!(tokenizer.encode(text).unwrap(), ids(&case["ids"]), "{text:?}");
    }
}

#[test]
fn clip_texts_are_padded_and_cut_to_77_with_the_end_token_last() {
    let tokenizer = ClipTokenizer::open(&repository("tests/miniature/instruct-pix2pix/tokenizer")).unwrap();
    let (short, used) = tokenizer.encode_padded("a red car").unwrap();
    assert_eq!(short.len(), 77);
    assert_eq!(short[..used], tokenizer.encode("a red car").unwrap());
    assert!(short[used - 1..].iter().all(|id| *id == tokenizer.eos()));
    let (long, used) = tokenizer.encode_padded(&"stormy sky ".repeat(500)).unwrap();
    assert_eq!((long.len(), used, long[0], long[76]), (77, 77, tokenizer.bos(), tokenizer.eos()));
    assert_eq!(long[..76], tokenizer.encode(&"stormy sky ".repeat(500)).unwrap()[..76]);
}

#[test]
fn long_instructions_take_a_moment_not_a_minute() {
    let clip = ClipTokenizer::open(&repository("tests/miniature/instruct-pix2pix/tokenizer")).unwrap();
    let llama = llava();
    let start = std::time::Instant::now();
    for text in ["a".repeat(10_000), "the sky ".repeat(1_250), "😀".repeat(10_000), "[IMG0".repeat(2_000)] {
        assert!(clip.encode(&text).unwrap().len() > 2);
        assert!(llama.encode(&text).unwrap().len() > 2);
    }
    assert!(start.elapsed().as_secs() < 20, "took {:?}", start.elapsed());
}

#[test]
fn a_folder_is_opened_by_what_it_holds() {
    let small = |name: &str| open(&repository("tests/miniature").join(name));
    assert_eq!(small("LLaVA-7B-v1").unwrap().token_to_id("<im_start>"), Some(601));
    assert!(small("instruct-pix2pix/tokenizer").unwrap().token_to_id("<|endoftext|>").is_some());
    let error = small("instruct-pix2pix/vae").err().unwrap().to_string();
    assert!(error.contains("holds no tokenizer") && error.contains("tokenizer.model"), "{error}");
    assert!(small("nowhere").err().unwrap().to_string().contains("cannot be read"));
}

#[test]
fn damaged_tokenizer_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let model = fs::read(repository("tests/miniature/LLaVA-7B-v1/tokenizer.model")).unwrap();
    let error = || open(folder.path()).err().unwrap().to_string();
    fs::write(file("tokenizer.model"), &model[..model.len() / 2]).unwrap();
    assert!(error().contains("tokenizer.model"), "{}", error());
    fs::write(file("tokenizer.model"), b"not a model at all").unwrap();
    assert!(error().contains("tokenizer.model"), "{}", error());
    fs::write(file("tokenizer.model"), &model).unwrap();
    fs::write(file("added_tokens.json"), r#"{"<im_patch>": 32000}"#).unwrap();
    assert!(error().contains("the id 32000; after the vocabulary"), "{}", error());
    fs::write(file("added_tokens.json"), "[1]").unwrap();
    assert!(error().contains("added_tokens.json: is not a JSON object"), "{}", error());
    fs::remove_file(file("added_tokens.json")).unwrap();
    fs::write(file("special_tokens_map.json"), r#"{"bos_token": 7}"#).unwrap();
    assert!(error().contains("`bos_token` that is no token"), "{}", error());
    fs::remove_file(file("tokenizer.model")).unwrap();
    fs::write(file("tokenizer.json"), r#"{"model": {}}"#).unwrap();
    assert!(error().contains("tokenizer.json: is not a tokenizer"), "{}", error());
}

#[test]
fn every_cut_and_change_of_a_model_file_is_an_error_or_a_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(repository("tests/miniature/LLaVA-7B-v1/tokenizer.model")).unwrap();
    for at in (0..whole.len()).step_by(37) {
        let mut changed = whole.clone();
        changed[at] ^= 0x55;
        for bytes in [&whole[..at], &changed] {
            fs::write(folder.path().join("tokenizer.model"), bytes).unwrap();
            if let Ok(tokenizer) = LlamaTokenizer::open(folder.path()) {
                let ids = tokenizer.encode("make the sky stormy, é 😀").unwrap();
                tokenizer.decode(&ids, false);
            }
        }
    }
}

#[test]
fn a_fast_tokenizer_is_read_from_its_json() {
    let folder = tempfile::tempdir().unwrap();
    let json = r#"{"version": "1.0", "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null, "truncation": null,
        "padding": null, "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "stormy": 1, "sky": 2},
        "unk_token": "[UNK]"}}"#;
    fs::write(folder.path().join("tokenizer.json"), json).unwrap();
    let tokenizer = open(folder.path()).unwrap();
    assert_eq!(tokenizer.encode("Stormy sky sea").unwrap(), [1, 2, 0]);
    assert_eq!(tokenizer.decode(&[1, 2], true), "stormy sky");
    assert_eq!(tokenizer.vocabulary_size(), 3);
}
