//! What a neutral request says, as a list of facts that does not depend on how it is put together.

use serde_json::{json, Value};

/// One thing that is said, and its place: `messages[].content` without indices.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub place: String,
    /// Whose message it is in; empty elsewhere.
    pub role: String,
    pub says: String,
}

impl Fact {
    /// Whether it is said in `facts` too. A text may stand in a longer one, and a mark of the last part is its message's.
    pub fn is_in(&self, facts: &[Fact]) -> bool {
        facts.iter().any(|fact| {
            let said = fact.says == self.says || TEXTS.contains(&&*self.place) && fact.says.contains(&self.says);
            let place = |fact: &Fact| fact.place.replace("content[].cache_control", "cache_control");
            place(fact) == place(self) && fact.role == self.role && said
        })
    }

    /// Whether it asks for what everybody gets.
    pub fn is_usual(&self) -> bool {
        USUAL.contains(&(&*self.place, &*self.says))
    }
}

/// What neighbouring messages of one role say together.
const TEXTS: &[&str] = &["messages[].content", "messages[].reasoning_content"];

/// What nobody loses who does not have it: defaults, said.
const USUAL: &[(&str, &str)] = &[
    ("n", "1"),
    ("store", "false"),
    ("modalities", "[\"text\"]"),
    ("parallel_tool_calls", "true"),
    ("tool_choice", "auto"),
    ("service_tier", "auto"),
    ("service_tier", "default"),
];

pub fn facts(request: &Value) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (name, value) in request.as_object().expect("a request") {
        match &**name {
            // They are in the address, or so in each.
            "model" | "stream" => {}
            "messages" => {
                value.as_array().expect("messages").iter().for_each(|message| of_message(message, request, &mut facts))
            }
            "tools" => value.as_array().expect("tools").iter().for_each(|tool| of_tool(tool, &mut facts)),
            // Of no tool is called one alone.
            "parallel_tool_calls" if request["tool_choice"] == "none" => {}
            "max_completion_tokens" => add(&mut facts, "max_tokens", "", value),
            // Two words for one wish.
            "reasoning_effort" if value == "none" => add(&mut facts, "thinking", "", &json!({"type": "disabled"})),
            "stop" => {
                let one = [value.clone()];
                value
                    .as_array()
                    .map_or(&one[..], Vec::as_slice)
                    .iter()
                    .for_each(|stop| add(&mut facts, "stop", "", stop));
            }
            "response_format" => {
                add(&mut facts, "response_format", "", &value["type"]);
                let schema = &value["json_schema"]["schema"];
                if !schema.is_null() {
                    add(&mut facts, "response_format.json_schema.schema", "", schema);
                }
            }
            name => add(&mut facts, name, "", value),
        }
    }
    facts
}

/// The number of the call in its conversation that `id` names, whatever it is called there.
fn number_of(id: &Value, request: &Value) -> Option<usize> {
    let messages = request["messages"].as_array()?;
    let mut calls = messages.iter().flat_map(|message| message["tool_calls"].as_array().into_iter().flatten());
    calls.position(|call| call["id"] == *id)
}

fn of_message(message: &Value, request: &Value, facts: &mut Vec<Fact>) {
    let role = match message["role"].as_str().expect("a role") {
        "developer" => "system",
        role => role,
    };
    for (name, value) in message.as_object().expect("a message").iter().filter(|(_, value)| !value.is_null()) {
        match (&**name, value) {
            ("role", _) => {}
            ("tool_call_id", id) => {
                add(facts, "messages[].tool_call_id", role, &json!(number_of(id, request)));
            }
            ("content", Value::Array(parts)) => parts.iter().for_each(|part| of_part(part, role, facts)),
            ("tool_calls", Value::Array(calls)) => {
                for call in calls {
                    of_call(call, role, facts);
                }
            }
            (name, value) => add(facts, &format!("messages[].{name}"), role, value),
        }
    }
}

fn of_call(call: &Value, role: &str, facts: &mut Vec<Fact>) {
    let function = &call["function"];
    let arguments = function["arguments"].as_str().expect("arguments");
    let arguments: Value = serde_json::from_str(arguments).expect("arguments are JSON here");
    add(facts, "messages[].tool_calls", role, &function["name"]);
    add(facts, "messages[].tool_calls", role, &arguments);
    let signature = &call["extra_content"]["google"]["thought_signature"];
    if !signature.is_null() {
        add(facts, "messages[].tool_calls[].extra_content", role, signature);
    }
}

fn of_part(part: &Value, role: &str, facts: &mut Vec<Fact>) {
    for (name, value) in part.as_object().expect("a part") {
        match &**name {
            "type" => {}
            "text" => add(facts, "messages[].content", role, value),
            "cache_control" => add(facts, "messages[].content[].cache_control", role, value),
            name => value.as_object().expect("a part's own").iter().for_each(|(member, value)| {
                // A name for a file is not what it says.
                let place = if member == "filename" { ".filename" } else { "" };
                add(facts, &format!("messages[].content[].{name}{place}"), role, value);
            }),
        }
    }
}

fn of_tool(tool: &Value, facts: &mut Vec<Fact>) {
    if tool["type"] == "native" {
        return add(facts, "tools[]", "", &tool["value"]);
    }
    for (name, value) in tool.as_object().expect("a tool") {
        match &**name {
            "type" => {}
            "cache_control" => add(facts, "tools[].cache_control", "", value),
            kind => value.as_object().expect("a tool's own").iter().for_each(|(name, value)| {
                add(facts, &format!("tools[].{kind}.{name}"), "", value);
            }),
        }
    }
}

fn add(facts: &mut Vec<Fact>, place: &str, role: &str, value: &Value) {
    let says = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().expect("a double").to_string(),
        value => value.to_string(),
    };
    facts.push(Fact { place: place.to_owned(), role: role.to_owned(), says });
}
