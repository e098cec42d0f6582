//! The proxy that the environment names for an address: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, as other
//! programs read them (there is no standard; this is curl's reading where readings differ).

use std::net::IpAddr;
use std::sync::Arc;

use crate::base64;
use crate::config::{host_and_port, is_loopback, Secret};
use crate::http::Origin;

/// A proxy that speaks HTTP/1.1. What goes to `https` addresses goes through a tunnel (`CONNECT`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// TLS to the proxy itself.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Value of `proxy-authorization`.
    pub authorization: Option<Secret>,
}

/// The proxy through which `origin` is reached; the error says what is wrong with its variable and never quotes it, since it may
/// hold a password. This machine's own addresses are reached without one.
pub fn proxy_of(origin: &Origin, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Arc<Proxy>>, String> {
    if is_here(&origin.host) {
        return Ok(None);
    }
    // A program that a web server runs has the caller's `Proxy` header in this one (CVE-2016-5385).
    let of_a_caller = |name: &str| name == "HTTP_PROXY" && variable("REQUEST_METHOD").is_some();
    let names = if origin.tls { ["https_proxy", "HTTPS_PROXY"] } else { ["http_proxy", "HTTP_PROXY"] };
    let set = |name: &&str| variable(name).filter(|_| !of_a_caller(name)).map(|text| (name.to_string(), text));
    let Some((name, text)) = names.iter().chain(&["all_proxy", "ALL_PROXY"]).find_map(set) else { return Ok(None) };
    if ["no_proxy", "NO_PROXY"].iter().find_map(|name| variable(name)).is_some_and(|list| is_excepted(origin, &list)) {
        return Ok(None);
    }
    read(&text).map(|proxy| Some(Arc::new(proxy))).map_err(|wrong| format!("environment variable `{name}` {wrong}"))
}

fn is_here(host: &str) -> bool {
    is_loopback(host) || host.ends_with(".localhost")
}

fn read(text: &str) -> Result<Proxy, &'static str> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let scheme = scheme.to_ascii_lowercase();
    let tls = match scheme.as_str() {
        "http" => false,
        "https" => true,
        _ if scheme.starts_with("socks") => {
            return Err("names a SOCKS proxy, which hoosh does not speak; name one that speaks HTTP")
        }
        _ => return Err("must begin with `http://` or `https://`"),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (user, address) = match rest.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, rest),
    };
    let (host, port) = host_and_port(address)?;
    let authorization = user.map(authorization).transpose()?;
    Ok(Proxy { tls, host, port: port.unwrap_or(if tls { 443 } else { 80 }), authorization })
}

/// `Basic` with name and password (RFC 7617), which are written with `%XX` where they must be.
fn authorization(user: &str) -> Result<Secret, &'static str> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let wrong = "must have its name and password written with `%XX` where they are not plain";
    let mut plain = unescaped(name).ok_or(wrong)?;
    if plain.contains(&b':') {
        return Err("has a `:` in its name, which cannot be sent");
    }
    plain.push(b':');
    plain.extend(unescaped(password).ok_or(wrong)?);
    let mut value = b"Basic ".to_vec();
    base64::write(&mut value, plain);
    Ok(Secret::new(String::from_utf8_lossy(&value)))
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit()?, digit()?);
                (high * 16 + low) as u8
            }
            _ => byte,
        });
    }
    bytes.iter().all(|byte| !byte.is_ascii_control()).then_some(bytes)
}

/// Whether `NO_PROXY` names it: by `*`, a name that it is or is below, an address, or a network. Names and addresses may have a
/// port.
fn is_excepted(origin: &Origin, list: &str) -> bool {
    let address: Option<IpAddr> = origin.host.parse().ok();
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if let Some((network, length)) = entry.split_once('/') {
            return address.is_some_and(|address| is_within(address, network, length));
        }
        let (name, port) = with_port(entry);
        if port.is_some_and(|port| port.parse() != Ok(origin.port)) {
            return false;
        }
        match (address, name.parse::<IpAddr>()) {
            _ if name == "*" => true,
            (Some(address), Ok(named)) => address == named,
            (Some(_), _) | (_, Ok(_)) => false,
            (None, Err(_)) => is_below(&origin.host, name),
        }
    })
}

fn with_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((address, port)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, port.strip_prefix(':'));
    }
    match entry.split_once(':') {
        Some((name, port)) if !port.contains(':') => (name, Some(port)),
        _ => (entry, None),
    }
}

fn is_below(host: &str, name: &str) -> bool {
    let name = name.strip_prefix('*').unwrap_or(name);
    let name = name.strip_prefix('.').unwrap_or(name).to_ascii_lowercase();
    !name.is_empty() && host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_within(address: IpAddr, network: &str, length: &str) -> bool {
    let Ok(length) = length.parse::<u32>() else { return false };
    match (address, network.parse()) {
        (IpAddr::V4(address), Ok(IpAddr::V4(network))) if length <= 32 => {
            let differ = u64::from(u32::from(address) ^ u32::from(network));
            differ >> (32 - length) == 0
        }
        (IpAddr::V6(address), Ok(IpAddr::V6(network))) if length <= 128 => {
            (u128::from(address) ^ u128::from(network)).checked_shr(128 - length).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(tls: bool, host: &str, port: u16) -> Origin {
        Origin { tls, host: host.into(), port, trusted: true, ..Origin::default() }
    }

    fn found(origin: &Origin, set: &[(&str, &str)]) -> Result<Option<Arc<Proxy>>, String> {
        proxy_of(origin, &|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    fn host(origin: &Origin, set: &[(&str, &str)]) -> Option<String> {
        found(origin, set).expect("a proxy or none").map(|proxy| proxy.host.clone())
    }

    #[test]
    fn each_scheme_has_its_variable() {
        let (tls, clear) = (origin(true, "a.example", 443), origin(false, "a.example", 80));
        let set = [("HTTPS_PROXY", "http://s"), ("HTTP_PROXY", "http://c"), ("ALL_PROXY", "http://a")];
        assert_eq!((host(&tls, &set), host(&clear, &set)), (Some("s".into()), Some("c".into())));
        assert_eq!(host(&tls, &set[1..]), Some("a".into()));
        assert_eq!(host(&clear, &[set[0]]), None);
        assert_eq!(host(&tls, &[("https_proxy", "http://l"), set[0]]), Some("l".into()));
        assert_eq!(host(&tls, &[]), None);
    }

    #[test]
    fn a_caller_of_a_cgi_program_names_none() {
        let clear = origin(false, "a.example", 80);
        let set = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil"), ("ALL_PROXY", "http://a")];
        assert_eq!(host(&clear, &set), Some("a".into()));
        assert_eq!(host(&clear, &[set[0], ("http_proxy", "http://l")]), Some("l".into()));
    }

    #[test]
    fn this_machine_is_reached_without_one() {
        for name in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "a.localhost"] {
            assert_eq!(host(&origin(false, name, 80), &[("ALL_PROXY", "http://a")]), None, "{name}");
        }
    }

    #[test]
    fn a_proxy_is_read_whole() {
        let proxy = |text: &str| {
            let proxy = read(text).expect(text);
            let authorization = proxy.authorization.map(|secret| secret.expose().to_owned());
            (proxy.tls, proxy.host, proxy.port, authorization)
        };
        let plain = |host: &str, port| (false, host.to_owned(), port, None);
        assert_eq!(proxy("http://proxy.example:3128"), plain("proxy.example", 3_128));
        assert_eq!(proxy("proxy.example:3128/"), plain("proxy.example", 3_128));
        assert_eq!(proxy("http://[2001:db8::1]:80"), plain("2001:db8::1", 80));
        assert_eq!(proxy("HTTPS://p"), (true, "p".into(), 443, None));
        // Aladdin's, of RFC 7617.
        let aladdin = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned());
        assert_eq!(proxy("http://Aladdin:open%20sesame@p:1"), (false, "p".into(), 1, aladdin));
        assert_eq!(proxy("http://u:a%40b@p:1").3, Some("Basic dTphQGI=".into()));
    }

    #[test]
    fn what_is_no_proxy_is_a_mistake_that_is_not_quoted() {
        let remote = origin(true, "a.example", 443);
        for text in [
            "socks5://p:1080",
            "socks5h://p",
            "ftp://p",
            "http://",
            "http://p:port",
            "http://p:0",
            "http://p/path",
            "http://secret:%zz@p",
            "http://secret:%0d%0a@p",
            "http://a%3Asecret:b@p",
            "http://p?x",
        ] {
            let error = found(&remote, &[("HTTPS_PROXY", text)]).expect_err(text);
            assert!(error.starts_with("environment variable `HTTPS_PROXY` ") && !error.contains("secret"), "{error}");
        }
        assert!(found(&remote, &[("HTTPS_PROXY", "socks5://p"), ("NO_PROXY", "a.example")]).is_ok());
    }

    #[test]
    fn exceptions() {
        let named = origin(true, "api.a.example", 443);
        let (v4, v6) = (origin(true, "10.1.2.3", 8_443), origin(true, "2001:db8::1", 443));
        for (origin, list, excepted) in [
            (&named, "*", true),
            (&named, "api.a.example", true),
            (&named, "a.example", true),
            (&named, ".a.example", true),
            (&named, "*.a.example", true),
            (&named, "A.EXAMPLE", true),
            (&named, "other, a.example:443", true),
            (&named, "other a.example", true),
            (&named, "a.example:80", false),
            (&named, "b.a.example", false),
            (&named, "pi.a.example", false),
            (&named, ".", false),
            (&named, "", false),
            (&named, "10.0.0.0/8", false),
            (&v4, "10.0.0.0/8", true),
            (&v4, "10.1.2.0/24,x", true),
            (&v4, "10.1.3.0/24", false),
            (&v4, "0.0.0.0/0", true),
            (&v4, "10.0.0.0/33", false),
            (&v4, "10.0.0.0/", false),
            (&v4, "10.1.2.3", true),
            (&v4, "10.1.2.3:8443", true),
            (&v4, "10.1.2.3:443", false),
            (&v4, "2.3", false),
            (&v4, "::/0", false),
            (&v6, "2001:db8::/32", true),
            (&v6, "::/0", true),
            (&v6, "2001:db9::/32", false),
            (&v6, "2001:DB8:0::1", true),
            (&v6, "[2001:db8::1]:443", true),
            (&v6, "[2001:db8::1]:80", false),
        ] {
            let set = [("ALL_PROXY", "http://p"), ("NO_PROXY", list)];
            assert_eq!(host(origin, &set).is_none(), excepted, "{} {list:?}", origin.host);
        }
    }
}
