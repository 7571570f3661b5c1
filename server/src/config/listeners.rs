//! Where the node listens and what clients are told, from `listeners` and the settings around it.

use std::collections::{BTreeMap, BTreeSet};

use super::{ListenerSettings, Roles};

/// The settings that together say where a node listens, as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListenerTexts<'a> {
    /// What the node is.
    pub(super) roles: Roles,
    pub(super) listeners: &'a str,
    pub(super) advertised: Option<&'a str>,
    /// Ours: what clients are told for the one listener that they have.
    pub(super) advertise: Option<&'a str>,
    pub(super) protocols: Option<&'a str>,
    pub(super) controller_names: Option<&'a str>,
    pub(super) inter_broker_name: Option<&'a str>,
}

/// A refusal: which setting, why, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) name: &'static str,
    pub(super) reason: String,
    pub(super) allowed: &'static str,
}

const FORM: &str = "NAME://HOST:PORT, with commas between them";

impl ListenerTexts<'_> {
    /// The listeners, in the order given.
    pub(super) fn resolve(self) -> Result<Vec<ListenerSettings>, Refusal> {
        let controllers: BTreeSet<String> = words(self.controller_names.unwrap_or_default()).map(str::to_ascii_uppercase).collect();
        let refuse = |reason| Refusal { name: "listeners", reason, allowed: FORM };
        let mut bound: Vec<ListenerSettings> = Vec::new();
        for text in words(self.listeners) {
            let (name, host, port) = parse(text).ok_or_else(|| refuse(format!("{text} is no listener")))?;
            if bound.iter().any(|other| other.name == name) {
                return Err(refuse(format!("the listener {name} is given twice")));
            }
            let host = if host.is_empty() { "0.0.0.0" } else { host };
            let bind = format!("{host}:{port}");
            if port != 0 && bound.iter().any(|other| other.bind == bind) {
                return Err(refuse(format!("two listeners want {bind}")));
            }
            bound.push(ListenerSettings { is_controller: controllers.contains(&name), name, bind, advertised: None });
        }
        let has = |of_controllers: bool| bound.iter().any(|listener| listener.is_controller == of_controllers);
        match self.roles {
            _ if bound.is_empty() => return Err(refuse("no listener is given".to_owned())),
            Roles { is_broker: true, is_controller: true } if !has(false) => return Err(refuse("no listener is left for clients".to_owned())),
            Roles { is_broker: true, is_controller: false } if has(true) => {
                return Err(refuse("a broker that is no controller has no listener of controllers".to_owned()));
            }
            Roles { is_broker: false, .. } if has(false) => {
                return Err(refuse("a controller that is no broker has listeners of controllers alone (controller.listener.names)".to_owned()));
            }
            Roles { .. } => {}
        }
        self.check_protocols(&bound)?;
        self.check_inter_broker(&bound)?;
        self.advertise_each(&mut bound)?;
        Ok(bound)
    }

    fn advertise_each(self, bound: &mut [ListenerSettings]) -> Result<(), Refusal> {
        for text in words(self.advertised.unwrap_or_default()) {
            let refuse = |reason| Refusal { name: "advertised.listeners", reason, allowed: FORM };
            let (name, host, port) = parse(text).ok_or_else(|| refuse(format!("{text} is no listener")))?;
            if host == "0.0.0.0" || host == "[::]" {
                return Err(refuse(format!("nobody can connect to {host}")));
            }
            let listener = bound.iter_mut().find(|listener| listener.name == name);
            let listener = listener.ok_or_else(|| refuse(format!("{name} is not one of the listeners")))?;
            // Without a host clients are told the machine's own name.
            listener.advertised = (!host.is_empty()).then(|| (unbracketed(host).to_owned(), port));
        }
        let Some(text) = self.advertise else { return Ok(()) };
        let refuse = |reason| Refusal { name: "advertise", reason, allowed: "HOST:PORT" };
        let (host, port) = host_and_port(text).filter(|(host, _)| !host.is_empty()).ok_or_else(|| refuse(format!("{text} is no address")))?;
        let mut for_clients = bound.iter_mut().filter(|listener| !listener.is_controller);
        match (for_clients.next(), for_clients.next()) {
            (Some(only), None) => only.advertised = Some((unbracketed(host).to_owned(), port)),
            _ => return Err(refuse("there are several listeners: say advertised.listeners instead".to_owned())),
        }
        Ok(())
    }

    /// Every listener must speak plain text, the only protocol that is kept.
    fn check_protocols(self, bound: &[ListenerSettings]) -> Result<(), Refusal> {
        let refuse = |reason| Refusal { name: "listener.security.protocol.map", reason, allowed: "NAME:PLAINTEXT, with commas between them" };
        let mut protocols: BTreeMap<String, &str> = BTreeMap::new();
        for text in words(self.protocols.unwrap_or(DEFAULT_PROTOCOLS)) {
            let (name, protocol) = text.split_once(':').ok_or_else(|| refuse(format!("{text} names no protocol")))?;
            protocols.insert(name.trim().to_ascii_uppercase(), protocol.trim());
        }
        for listener in bound {
            match protocols.get(&listener.name) {
                Some(protocol) if protocol.eq_ignore_ascii_case("PLAINTEXT") => {}
                Some(protocol) => {
                    let reason = format!("the listener {} would be protected by {protocol}, which is not kept yet", listener.name);
                    return Err(refuse(reason));
                }
                // As in Kafka, a controller's listener needs no entry while the map is not given.
                None if self.protocols.is_none() && listener.is_controller => {}
                None => return Err(refuse(format!("the listener {} has no protocol", listener.name))),
            }
        }
        Ok(())
    }

    fn check_inter_broker(self, bound: &[ListenerSettings]) -> Result<(), Refusal> {
        let Some(name) = self.inter_broker_name.filter(|_| self.roles.is_broker) else { return Ok(()) };
        if bound.iter().any(|listener| listener.name == name.trim().to_ascii_uppercase() && !listener.is_controller) {
            return Ok(());
        }
        let reason = format!("{name} is not one of the listeners that brokers serve");
        Err(Refusal { name: "inter.broker.listener.name", reason, allowed: "the name of one of the listeners" })
    }
}

const DEFAULT_PROTOCOLS: &str = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT";

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// `NAME://HOST:PORT`; the name in capitals, as Kafka takes it.
fn parse(text: &str) -> Option<(String, &str, u16)> {
    let (name, address) = text.split_once("://")?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let (host, port) = host_and_port(address)?;
    is_name.then(|| (name.to_ascii_uppercase(), host, port))
}

/// `HOST:PORT`, an IPv6 address in brackets.
pub(super) fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let is_host = if host.starts_with('[') { host.ends_with(']') } else { !host.contains([':', '/', ' ']) };
    if !is_host || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((host, port.parse().ok()?))
}

pub(super) fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(text: &str) -> ListenerTexts<'_> {
        ListenerTexts {
            roles: Roles { is_broker: true, is_controller: true },
            listeners: text,
            advertised: None,
            advertise: None,
            protocols: None,
            controller_names: None,
            inter_broker_name: None,
        }
    }

    fn reason(texts: ListenerTexts<'_>) -> String {
        let refusal = texts.resolve().unwrap_err();
        format!("{}: {}", refusal.name, refusal.reason)
    }

    #[test]
    fn a_combined_node_listens_for_clients_and_for_controllers() {
        let texts = ListenerTexts {
            roles: Roles { is_broker: true, is_controller: true },
            listeners: "EXTERNAL://localhost:9092,CONTROLLER://localhost:9093",
            advertised: Some("EXTERNAL://example.org:19092"),
            protocols: Some("EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"),
            controller_names: Some("CONTROLLER"),
            inter_broker_name: Some("EXTERNAL"),
            advertise: None,
        };
        let external = ListenerSettings {
            name: "EXTERNAL".into(),
            bind: "localhost:9092".into(),
            advertised: Some(("example.org".into(), 19092)),
            is_controller: false,
        };
        let controller = ListenerSettings { name: "CONTROLLER".into(), bind: "localhost:9093".into(), advertised: None, is_controller: true };
        assert_eq!(texts.resolve(), Ok(vec![external, controller]));
    }

    #[test]
    fn a_listener_is_the_same_in_small_letters_wherever_it_is_named() {
        let texts = ListenerTexts {
            roles: Roles { is_broker: true, is_controller: true },
            listeners: "internal://localhost:9092,Controller://localhost:9093",
            advertised: Some("internal://example.org:19092"),
            protocols: Some("internal:plaintext,controller:PLAINTEXT"),
            controller_names: Some("controller"),
            inter_broker_name: Some("internal"),
            advertise: None,
        };
        let bound = texts.resolve().unwrap();
        let names: Vec<_> = bound.iter().map(|listener| (listener.name.as_str(), listener.is_controller)).collect();
        assert_eq!(names, [("INTERNAL", false), ("CONTROLLER", true)]);
        assert_eq!(bound[0].advertised, Some(("example.org".into(), 19092)));
    }

    #[test]
    fn an_empty_host_binds_everything_and_brackets_hold_ipv6() {
        let bound = listeners("PLAINTEXT://:9092").resolve().unwrap();
        assert_eq!(bound[0].bind, "0.0.0.0:9092");
        let texts = ListenerTexts { advertise: Some("[2001:db8::1]:5"), ..listeners("PLAINTEXT://[::1]:0") };
        let bound = texts.resolve().unwrap();
        assert_eq!((bound[0].bind.as_str(), bound[0].advertised.clone()), ("[::1]:0", Some(("2001:db8::1".into(), 5))));
    }

    #[test]
    fn a_protected_listener_is_refused() {
        assert!(reason(listeners("SSL://:9093")).contains("would be protected by SSL"));
        let texts = ListenerTexts { protocols: Some("OUT:SASL_SSL"), ..listeners("OUT://:9093") };
        assert!(reason(texts).contains("would be protected by SASL_SSL"));
    }

    #[test]
    fn protocols_of_listeners_that_are_not_bound_do_not_matter() {
        let texts = ListenerTexts { protocols: Some("PLAINTEXT:PLAINTEXT,SSL:SSL"), ..listeners("PLAINTEXT://:9092") };
        assert!(texts.resolve().is_ok());
    }

    #[test]
    fn who_has_one_role_has_its_listeners_alone() {
        let controller = ListenerTexts {
            roles: Roles { is_broker: false, is_controller: true },
            controller_names: Some("CONTROLLER"),
            inter_broker_name: Some("EXTERNAL"),
            ..listeners("CONTROLLER://:9093")
        };
        assert!(controller.resolve().is_ok_and(|bound| bound[0].is_controller));
        assert!(reason(ListenerTexts { listeners: "PLAINTEXT://:9092", ..controller }).contains("listeners of controllers alone"));
        let broker = ListenerTexts { roles: Roles { is_broker: true, is_controller: false }, inter_broker_name: None, ..controller };
        assert!(reason(broker).contains("no listener of controllers"));
        let both = ListenerTexts { roles: Roles { is_broker: true, is_controller: true }, inter_broker_name: None, ..controller };
        assert!(reason(both).contains("no listener is left"));
    }

    #[test]
    fn malformed_listeners_are_refused() {
        for text in ["9092", "PLAINTEXT:9092", "PLAINTEXT://host", "PLAINTEXT://host:port", "PLAINTEXT://host:99999", "://h:1", "P://a:b:1"] {
            assert!(reason(listeners(text)).contains("is no listener"), "{text}");
        }
        assert!(reason(listeners("PLAINTEXT://a:1,PLAINTEXT://b:2")).contains("given twice"));
        assert!(reason(listeners("")).contains("no listener is given"));
    }

    #[test]
    fn only_what_is_bound_is_advertised_and_only_what_can_be_reached() {
        let texts = ListenerTexts { advertised: Some("OTHER://h:1"), ..listeners("PLAINTEXT://:9092") };
        assert!(reason(texts).contains("OTHER is not one of the listeners"));
        let texts = ListenerTexts { advertised: Some("PLAINTEXT://0.0.0.0:1"), ..listeners("PLAINTEXT://:9092") };
        assert!(reason(texts).contains("nobody can connect"));
    }
}
