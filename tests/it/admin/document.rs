//! The OpenAPI document against the route table, and every answer in these tests against it.

use super::{http::Answer, server};
use jsonschema::Validator;
use msnd::admin::{Access, ENDPOINTS, OPENAPI};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::LazyLock};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(OPENAPI).unwrap());

/// Holds an answer against what the document says of this request; paths and methods it does not
/// know must be answered with a problem.
#[track_caller]
pub(crate) fn check(method: &str, target: &str, answer: &Answer) {
    let media_type = answer.header("content-type").unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap();
    let path = target.split('?').next().unwrap();
    let operation = DOCUMENT["paths"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(template, _)| fits(template, path))
        .and_then(|(_, item)| item.get(method.to_ascii_lowercase()));
    let Some(operation) = operation else {
        assert!([404, 405].contains(&answer.status), "{method} {target}: {answer:?}");
        assert_eq!(media_type, "application/problem+json");
        validate(&json!({ "$ref": "#/components/schemas/Problem" }), &answer.json());
        return;
    };
    let response = &operation["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {target} is not to answer {answer:?}");
    let response = match response["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap(),
        None => response,
    };
    let schema = &response["content"][media_type]["schema"];
    assert!(schema.is_object(), "{method} {target}: {media_type} in {answer:?}");
    if media_type.ends_with("json") {
        validate(schema, &answer.json());
        if answer.status >= 400 {
            assert_eq!(answer.json()["status"], answer.status);
        }
    }
}

#[track_caller]
fn validate(schema: &Value, value: &Value) {
    let mut schema = schema.clone();
    schema["components"] = strict(DOCUMENT["components"].clone());
    let validator: Validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0], "{value}");
}

/// The schemas as we mean them in tests: a field nobody wrote down is a mistake.
fn strict(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| *field = strict(field.take()));
            if fields.get("type").is_some_and(|kind| kind == "object")
                && fields.contains_key("properties")
            {
                fields.insert("additionalProperties".into(), false.into());
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| *entry = strict(entry.take())),
        _ => {}
    }
    schema
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(wanted, found)| wanted.starts_with('{') || wanted == found)
}

#[test]
fn the_document_lists_the_endpoints_and_no_others() {
    let described: BTreeSet<_> = DOCUMENT["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| {
                let is_open = operation["security"] == json!([]);
                (method.to_ascii_uppercase(), path.clone(), is_open)
            })
        })
        .collect();
    let served: BTreeSet<_> = ENDPOINTS
        .iter()
        .map(|endpoint| {
            let is_open = endpoint.access == Access::Open;
            (endpoint.method.to_owned(), endpoint.path.to_owned(), is_open)
        })
        .collect();
    assert_eq!(served.len(), ENDPOINTS.len(), "an endpoint is there twice");
    assert_eq!(described, served);
}

/// A table that says `POST` where the router has a `get` would describe what is not there.
#[test]
fn every_row_of_the_table_answers_its_method() {
    let (_server, door) = server(|_| {});
    for endpoint in ENDPOINTS {
        let path = endpoint.path.replace("{address}", "nobody@example.test");
        let answer = door.request(endpoint.method, &path, &[], "");
        assert!(answer.status != 405, "{endpoint:?}: {answer:?}");
    }
}

#[test]
fn the_document_is_what_it_says_it_is() {
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
    for schema in DOCUMENT["components"]["schemas"].as_object().unwrap().values() {
        assert!(jsonschema::meta::is_valid(schema), "{schema}");
    }
    let mut references = Vec::new();
    collect_references(&DOCUMENT, &mut references);
    for reference in references {
        let target = DOCUMENT.pointer(reference.trim_start_matches('#'));
        assert!(target.is_some(), "{reference}");
    }
    let (_server, door) = server(|_| {});
    assert_eq!(door.json("/api/v1/openapi.json"), *DOCUMENT);
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field.as_str() {
                    Some(text) if key == "$ref" => found.push(text.to_owned()),
                    _ => collect_references(field, found),
                }
            }
        }
        Value::Array(entries) => {
            entries.iter().for_each(|entry| collect_references(entry, found));
        }
        _ => {}
    }
}
