//! Reads `template.yaml` so that tests can hold its resources to what the design demands.
//!
//! `CloudFormation`'s short tags are kept in their long form: `!Ref A` reads as `{"Ref": "A"}`, `!GetAtt A.B` as
//! `{"Fn::GetAtt": ["A", "B"]}`, `!Sub`, `!If` and the others as `{"Fn::<name>": …}`.

use crate::workspace;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;
use std::fs;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {
    root: Value,
}

/// One resource. For functions, the template's `Globals` are already applied.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its logical id.
    pub id: String,
    /// Its type, such as `AWS::SQS::Queue`.
    pub kind: String,
    beside: Value,
    properties: Value,
}

/// One statement of a policy that a role or function carries, with single actions and resources as lists of one.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The logical id of the role, policy or function.
    pub holder: String,
    /// `Allow` or `Deny`.
    pub effect: String,
    /// The actions.
    pub actions: Vec<String>,
    /// The resources, as values: literals, references, substitutions.
    pub resources: Vec<Value>,
}

impl Template {
    /// The template of this workspace.
    pub fn load() -> Result<Self> {
        let path = workspace().join("template.yaml");
        Self::parse(&fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?)
    }

    /// A template from its text.
    pub fn parse(text: &str) -> Result<Self> {
        let yaml: Yaml = serde_yaml_ng::from_str(text).context("the template is not YAML")?;
        Ok(Self { root: json_of(&yaml)? })
    }

    /// Any part of the template, by JSON pointer (`/Outputs/TableName/Value`); null when absent.
    pub fn get(&self, pointer: &str) -> &Value {
        self.root.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The entries of a section such as `Parameters` or `Outputs`.
    pub fn section(&self, name: &str) -> Vec<(&str, &Value)> {
        let entries = self.root.get(name).and_then(Value::as_object);
        entries.into_iter().flatten().map(|(id, value)| (id.as_str(), value)).collect()
    }

    /// Every resource of a type.
    pub fn of_type(&self, kind: &str) -> Vec<Resource> {
        let resources = self.section("Resources").into_iter();
        resources.filter(|(_, body)| body["Type"] == kind).filter_map(|(id, _)| self.resource(id).ok()).collect()
    }

    /// One resource by its logical id.
    pub fn resource(&self, id: &str) -> Result<Resource> {
        let Some(beside) = self.root.get("Resources").and_then(|all| all.get(id)) else {
            bail!("the template has no resource {id}");
        };
        let kind = beside["Type"].as_str().unwrap_or_default().to_owned();
        let mut properties = beside["Properties"].clone();
        if kind == "AWS::Serverless::Function" {
            let own = std::mem::replace(&mut properties, self.get("/Globals/Function").clone());
            merge(&mut properties, &own);
        }
        Ok(Resource { id: id.to_owned(), kind, beside: beside.clone(), properties })
    }

    /// The environment variables that every function has, as far as they are plain texts.
    pub fn common_environment(&self) -> Vec<(String, String)> {
        let variables = self.get("/Globals/Function/Environment/Variables").as_object();
        let plain = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        variables.into_iter().flatten().filter_map(plain).collect()
    }

    /// The resource that a `Ref` or `GetAtt` points at.
    pub fn target(&self, value: &Value) -> Result<Resource> {
        let id = points_at(value).with_context(|| format!("{value} points at no resource"))?;
        self.resource(id)
    }

    /// A value as a plain one: a reference to a parameter becomes the parameter's default, and so does each
    /// `${Parameter}` in a substitution. What cannot be known before a deploy stays as it is.
    pub fn by_default(&self, value: &Value) -> Value {
        if let Some(default) = value["Ref"].as_str().and_then(|name| self.default_of(name)) {
            return default.clone();
        }
        match value["Fn::Sub"].as_str() {
            Some(text) => json!(self.section("Parameters").into_iter().fold(text.to_owned(), |text, (name, _)| {
                match self.default_of(name) {
                    Some(Value::String(default)) => text.replace(&format!("${{{name}}}"), default),
                    Some(default) => text.replace(&format!("${{{name}}}"), &default.to_string()),
                    None => text,
                }
            })),
            None => value.clone(),
        }
    }

    /// A number, with parameters at their defaults.
    pub fn number(&self, value: &Value) -> Result<u64> {
        let plain = self.by_default(value);
        let number = plain.as_u64().or_else(|| plain.as_str().and_then(|text| text.parse().ok()));
        number.with_context(|| format!("{value} is no number by default"))
    }

    /// Every statement of every role's, policy's and function's own policies; both branches of an `If` count.
    pub fn statements(&self) -> Vec<Statement> {
        let mut statements = Vec::new();
        for (id, body) in self.section("Resources") {
            let properties = &body["Properties"];
            let policies = match body["Type"].as_str() {
                Some("AWS::IAM::Role") => branches(&properties["Policies"]),
                Some("AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy") => vec![properties],
                Some("AWS::Serverless::Function") => branches(&properties["Policies"]),
                _ => continue,
            };
            let documents = policies.into_iter().map(|policy| policy.get("PolicyDocument").unwrap_or(policy));
            for statement in documents.flat_map(|document| branches(&document["Statement"])) {
                statements.push(Statement {
                    holder: id.to_owned(),
                    effect: statement["Effect"].as_str().unwrap_or_default().to_owned(),
                    actions: branches(&statement["Action"])
                        .into_iter()
                        .map(|action| action.as_str().map_or_else(|| action.to_string(), str::to_owned))
                        .collect(),
                    resources: branches(&statement["Resource"]).into_iter().cloned().collect(),
                });
            }
        }
        statements
    }

    fn default_of(&self, parameter: &str) -> Option<&Value> {
        self.root.get("Parameters")?.get(parameter)?.get("Default")
    }
}

impl Resource {
    /// A property by JSON pointer (`/RedrivePolicy/maxReceiveCount`); null when absent.
    pub fn property(&self, pointer: &str) -> &Value {
        self.properties.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// What stands beside the properties, such as `DeletionPolicy`; null when absent.
    pub fn attribute(&self, name: &str) -> &Value {
        self.beside.get(name).unwrap_or(&Value::Null)
    }
}

/// The logical id a `Ref` or `GetAtt` names.
pub fn points_at(value: &Value) -> Option<&str> {
    // Of a function, SAM lets one point at the alias that it makes.
    let named = value["Ref"].as_str().map(|name| name.strip_suffix(".Alias").unwrap_or(name));
    named.or_else(|| value["Fn::GetAtt"].get(0).and_then(Value::as_str))
}

/// The elements of a list, or the one element, with both branches of every `If` and without `AWS::NoValue`.
pub fn branches(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(elements) => elements.iter().flat_map(branches).collect(),
        Value::Object(object) => match object.get("Fn::If").and_then(Value::as_array) {
            Some(parts) => parts.iter().skip(1).flat_map(branches).collect(),
            None if value["Ref"] == "AWS::NoValue" => Vec::new(),
            None => vec![value],
        },
        _ => vec![value],
    }
}

fn merge(globals: &mut Value, own: &Value) {
    match (globals, own) {
        (Value::Object(globals), Value::Object(own)) => {
            for (name, value) in own {
                merge(globals.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (globals, own) => *globals = own.clone(),
    }
}

fn json_of(yaml: &Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Sequence(elements) => Value::Array(elements.iter().map(json_of).collect::<Result<_>>()?),
        Yaml::Mapping(entries) => {
            let entry = |(name, value)| anyhow::Ok((key_of(name)?, json_of(value)?));
            Value::Object(entries.iter().map(entry).collect::<Result<Map<_, _>>>()?)
        }
        Yaml::Tagged(tagged) => function(&tagged.tag.to_string(), json_of(&tagged.value)?),
        plain => serde_json::to_value(plain)?,
    })
}

/// YAML reads keys such as `200` or `true` as what they look like; JSON has only text.
fn key_of(yaml: &Yaml) -> Result<String> {
    match json_of(yaml)? {
        Value::String(key) => Ok(key),
        Value::Null | Value::Array(_) | Value::Object(_) => bail!("{yaml:?} cannot be a key"),
        other => Ok(other.to_string()),
    }
}

fn function(tag: &str, argument: Value) -> Value {
    match (tag.trim_start_matches('!'), argument) {
        (name @ ("Ref" | "Condition"), argument) => json!({ name: argument }),
        ("GetAtt", Value::String(path)) => match path.split_once('.') {
            Some((resource, attribute)) => json!({"Fn::GetAtt": [resource, attribute]}),
            None => json!({"Fn::GetAtt": [path]}),
        },
        (name, argument) => json!({ format!("Fn::{name}"): argument }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
Parameters:
  Seconds: { Type: Number, Default: 30 }
  Name: { Type: String, Default: rollcall }
  NoDefault: { Type: String }
Globals:
  Function: { Runtime: provided.al2023, Environment: { Variables: { A: global, B: global } } }
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Role: !GetAtt Role.Arn
      Timeout: !Ref Seconds
      Environment: { Variables: { B: own } }
  Role:
    Type: AWS::IAM::Role
    DeletionPolicy: Retain
    Properties:
      Policies:
        - PolicyName: p
          PolicyDocument:
            Statement:
              - { Effect: Allow, Action: "sqs:SendMessage", Resource: !Sub "${Queue.Arn}" }
              - !If [Traced, { Effect: Allow, Action: [a, b], Resource: "*" }, !Ref AWS::NoValue]
Outputs:
  Url: { Value: !Sub "https://${Name}/${NoDefault}" }
"#;

    #[test]
    fn keeps_the_short_tags_in_their_long_form() {
        let template = Template::parse(TEMPLATE).unwrap();
        assert_eq!(template.get("/Outputs/Url/Value"), &json!({"Fn::Sub": "https://${Name}/${NoDefault}"}));
        let function = template.resource("Fn").unwrap();
        assert_eq!(function.property("/Role"), &json!({"Fn::GetAtt": ["Role", "Arn"]}));
        assert_eq!(function.property("/Timeout"), &json!({"Ref": "Seconds"}));
        assert_eq!(function.property("/Missing/Deep"), &Value::Null);
        assert_eq!(template.target(function.property("/Role")).unwrap().attribute("DeletionPolicy"), "Retain");
        template.resource("Nobody").expect_err("no such resource");
    }

    #[test]
    fn applies_globals_to_functions() {
        let template = Template::parse(TEMPLATE).unwrap();
        let common = [("A", "global"), ("B", "global")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(template.common_environment(), common);
        let [function] = template.of_type("AWS::Serverless::Function").try_into().unwrap();
        assert_eq!(function.property("/Runtime"), "provided.al2023");
        assert_eq!(function.property("/Environment/Variables"), &json!({"A": "global", "B": "own"}));
    }

    #[test]
    fn puts_in_the_parameters_defaults() {
        let template = Template::parse(TEMPLATE).unwrap();
        assert_eq!(template.number(&json!({"Ref": "Seconds"})).unwrap(), 30);
        assert_eq!(template.number(&json!(180)).unwrap(), 180);
        template.number(&json!({"Ref": "NoDefault"})).expect_err("unknown before a deploy");
        assert_eq!(template.by_default(template.get("/Outputs/Url/Value")), "https://rollcall/${NoDefault}");
    }

    #[test]
    fn finds_every_statement_on_either_branch() {
        let statements = Template::parse(TEMPLATE).unwrap().statements();
        let actions: Vec<_> = statements.iter().map(|statement| statement.actions.join(" ")).collect();
        assert_eq!(actions, ["sqs:SendMessage", "a b"]);
        assert!(statements.iter().all(|statement| statement.holder == "Role" && statement.effect == "Allow"));
        assert_eq!(statements[1].resources, [json!("*")]);
    }
}
