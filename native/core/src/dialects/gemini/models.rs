//! The list of models in Google's form.

use super::splice::resource;
use crate::dialects::Model;
use crate::json::Writer;

/// What a model can be asked for: hoosh does not know which of them each can.
const METHODS: [&str; 5] =
    ["generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"];

/// One model.
pub fn one(model: &Model) -> Vec<u8> {
    let mut out = Writer::with_capacity(192);
    write(model, &mut out);
    out.into_bytes()
}

/// The list.
pub fn list(models: &[Model]) -> Vec<u8> {
    let mut out = Writer::with_capacity(64 + 192 * models.len());
    out.open_object().key("models").open_array();
    models.iter().for_each(|model| write(model, &mut out));
    out.close_array().close_object();
    out.into_bytes()
}

fn write(model: &Model, out: &mut Writer) {
    out.open_object().text_member("name", &resource(&model.id)).text_member("displayName", &model.id);
    out.text_member("description", &format!("Of {}.", model.owner)).text_member("version", "");
    out.key("supportedGenerationMethods").open_array();
    for method in METHODS {
        out.string(method);
    }
    out.close_array().close_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_has_a_resource_name() {
        let model = Model { id: "a/b".into(), owner: "x".into() };
        let list: serde_json::Value = serde_json::from_slice(&list(std::slice::from_ref(&model))).unwrap();
        assert_eq!(list["models"][0]["name"], "models/a/b");
        assert_eq!(list["models"][0]["supportedGenerationMethods"][0], "generateContent");
        assert_eq!(list["models"][0], serde_json::from_slice::<serde_json::Value>(&one(&model)).unwrap());
    }
}
