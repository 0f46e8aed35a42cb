//! Messenger Config, tab lists and text ads, read back with an XML parser.

use super::{Answer, ask, get, post, web};
use crate::config;
use quick_xml::{Reader, events::Event};

/// An element of a document.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    inside: Vec<Self>,
}

impl Element {
    /// The root of a document; panics if it is not well-formed.
    fn parse(text: &str) -> Self {
        let mut reader = Reader::from_str(text);
        let mut open = vec![Self::default()];
        loop {
            let event = reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}"));
            let is_empty = matches!(event, Event::Empty(_));
            match event {
                Event::Start(start) | Event::Empty(start) => {
                    let attributes = start.attributes().map(|attribute| {
                        let attribute = attribute.unwrap();
                        let name: &str = attribute.key.as_ref();
                        let value = quick_xml::escape::unescape(&attribute.value).unwrap();
                        (name.to_owned(), value.into_owned())
                    });
                    let name: &str = start.name().into_inner();
                    let (name, attributes) = (name.to_owned(), attributes.collect());
                    open.push(Self { name, attributes, ..Self::default() });
                    if is_empty {
                        let closed = open.pop().unwrap();
                        open.last_mut().unwrap().inside.push(closed);
                    }
                }
                Event::End(_) => {
                    let closed = open.pop().unwrap();
                    open.last_mut().unwrap().inside.push(closed);
                }
                Event::Text(text) => open.last_mut().unwrap().text += &*text,
                Event::CData(text) => open.last_mut().unwrap().text += &*text,
                Event::GeneralRef(entity) => {
                    let entity = format!("&{};", &*entity);
                    open.last_mut().unwrap().text += &quick_xml::escape::unescape(&entity).unwrap();
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut outside = open.pop().unwrap();
        assert!(open.is_empty() && outside.inside.len() == 1, "{text}");
        outside.inside.remove(0)
    }

    /// The only element at the end of a path.
    fn at(&self, path: &str) -> &Self {
        path.split('/').fold(self, |element, name| {
            let mut found = element.inside.iter().filter(|inside| inside.name == name);
            let first = found.next().unwrap_or_else(|| panic!("no {name} of {path}"));
            assert!(found.next().is_none(), "two {name} of {path}");
            first
        })
    }

    fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap()
    }
}

/// The inner document of an envelope.
fn unwrapped(answer: &Answer) -> Element {
    let envelope = Element::parse(&answer.body);
    assert_eq!(envelope.name, "soap:Envelope");
    assert_eq!(envelope.attribute("xmlns:soap"), "http://schemas.xmlsoap.org/soap/envelope/");
    let response = envelope.at("soap:Body/GetClientConfigResponse");
    assert_eq!(response.attribute("xmlns"), "http://www.msn.com/webservices/Messenger/Client");
    let result = response.at("GetClientConfigResult");
    assert!(result.inside.is_empty(), "text, not elements");
    assert!(answer.body.contains("<![CDATA[<MsgrConfig>"), "{}", answer.body);
    Element::parse(&result.text)
}

#[tokio::test]
async fn whatever_is_posted_to_messenger_config_gets_the_envelope() {
    let web = web(|_| {});
    let soap = "<soap:Envelope><soap:Body><GetClientConfig><clientinfo><Country>GB</Country>\
                <CLCID>0809</CLCID></clientinfo></GetClientConfig></soap:Body></soap:Envelope>";
    let expected = post(&web, "/Config/MsgrConfig.asmx", soap).await;
    assert_eq!(expected.header("Content-Type"), Some("text/xml; charset=utf-8"));
    assert_eq!(expected.status(), "200 OK");
    let config = unwrapped(&expected);
    assert_eq!(config.at("TabConfig/msntabdata/tab/contenturl").text, "http://h.test/tab");
    for body in ["", "<", "]]>", "<!DOCTYPE x [<!ENTITY a \"b\">]>&a;", &"x".repeat(100_000)] {
        for path in ["/config/msgrconfig.asmx", "/x/MSGRCONFIG", "/MsgrConfig.asmx?padding=xxxx"] {
            let answer = post(&web, path, body).await;
            assert_eq!(answer, expected, "{path} {} bytes", body.len());
        }
    }
    for request in [
        "POST /Config/MsgrConfig.asmx HTTP/1.0\r\nHost: h.test\r\n\r\n",
        "POST http://h.test/Config/MsgrConfig.asmx HTTP/1.1\r\nHost: other.test\r\n\r\n",
        "POST /Config/MsgrConfig.asmx HTTP/1.1\r\nHost: h.test\r\nContent-Length: 50\r\n\r\nless",
        "POST /Config/MsgrConfig.asmx HTTP/1.1\r\nHost: h.test\r\nContent-Length: x\r\n\r\n",
        "POST /Config/MsgrConfig.asmx HTTP/1.1\r\nHost: h.test:80\r\nSOAPAction: \"no\"\r\n\r\n",
    ] {
        assert_eq!(ask(&web, request).await, expected, "{request}");
    }
}

#[tokio::test]
async fn messenger_config_by_get_is_the_bare_document() {
    let web = web(|_| {});
    let query = "op=GetClientConfig&Country=GB&CLCID=0809&PLCID=0409&GeoID=242";
    let expected = get(&web, "/Config/MsgrConfig.asmx").await;
    assert!(expected.body.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?><MsgrConfig>"));
    let config = Element::parse(&expected.body);
    assert_eq!(config.at("Simple/Config/ExpiresInDays").text, "1");
    assert_eq!(config.at("Simple/Relay/Enabled").text, "0");
    assert_eq!(config.at("Simple/TrustedDomains/domain").attribute("name"), "msn.example.test");
    assert_eq!(config.at("LocalizedConfig").attribute("Market"), "en-US");
    let today = config.at("LocalizedConfig/MsnTodayConfig/MsnTodayURL");
    assert_eq!(today.text, "http://msn.example.test/today");
    for path in [
        format!("/Config/MsgrConfig.asmx?{query}&ver=8.1.178"),
        format!("/config/MSGRCONFIG.ASMX?{}&VER=8.1", query.to_uppercase()),
        format!("/some/other/MsgrConfig/{query}"),
        "/Config/MsgrConfig.asmx?%%%&&==".into(),
        "http://msn.example.test/Config/MsgrConfig.asmx?ver=8".into(),
    ] {
        assert_eq!(get(&web, &path).await, expected, "{path}");
    }
    let head = ask(&web, "HEAD /MsgrConfig HTTP/1.1\r\nHost: msn.example.test\r\n\r\n").await;
    assert_eq!((head.head, head.body.as_str()), (expected.head, ""));
}

#[tokio::test]
async fn links_lead_to_where_the_client_reached_us() {
    let site = |answer: Answer| {
        let config = Element::parse(&answer.body);
        let page = config.at("LocalizedConfig/TermsOfUse/TermsOfUseURL").text.clone();
        page.strip_suffix("/tos").unwrap().to_owned()
    };
    let unnamed = web(|_| {});
    for (request, expected) in [
        ("GET /MsgrConfig HTTP/1.1\r\nHost: a.test\r\n\r\n", "http://a.test"),
        ("GET /MsgrConfig HTTP/1.1\r\nHost: a.test:8080\r\n\r\n", "http://a.test:8080"),
        ("GET http://b.test/MsgrConfig HTTP/1.1\r\nHost: a.test\r\n\r\n", "http://b.test"),
        ("GET /MsgrConfig HTTP/1.0\r\n\r\n", "http://192.0.2.7:8080"),
        ("GET /MsgrConfig\r\n\r\n", "http://192.0.2.7:8080"),
        ("GET /MsgrConfig HTTP/1.1\r\nHost: \"><a\r\n\r\n", "http://192.0.2.7:8080"),
    ] {
        assert_eq!(site(ask(&unnamed, request).await), expected, "{request}");
    }
    let named = web(|config| config.urls.site = "http://www.example.test/msn".into());
    assert_eq!(site(get(&named, "/MsgrConfig").await), "http://www.example.test/msn");
}

#[tokio::test]
async fn configured_texts_arrive_as_they_are_written() {
    let text = "Tom & \"Jerry\" ]]> <b>'s</b> caf\u{e9}";
    let page = "http://www.example.test/a?b=1&c=]]>";
    let web = web(|config| {
        config.web.title = text.into();
        config.web.trusted_domains = vec!["one.test".into(), "two.test".into()];
        config.web.refresh_days = 0;
        config.web.today.clear();
        let tab = config.web.tabs[0].clone();
        config.web.tabs.push(config::Tab { name: text.into(), page: page.into(), ..tab });
    });
    for config in [
        unwrapped(&post(&web, "/MsgrConfig", "").await),
        Element::parse(&get(&web, "/MsgrConfig").await.body),
    ] {
        let tabs = &config.at("TabConfig/msntabdata").inside;
        assert_eq!(tabs.len(), 2);
        assert_eq!((&*tabs[1].at("name").text, &*tabs[1].at("contenturl").text), (text, page));
        assert_eq!(config.at("TabConfig/msntabsettings/oemtotallimit").text, "2");
        assert_eq!(config.at("Simple/Config/ExpiresInDays").text, "0");
        let domains = &config.at("Simple/TrustedDomains").inside;
        let domains: Vec<_> = domains.iter().map(|domain| domain.attribute("name")).collect();
        assert_eq!(domains[1..], ["one.test", "two.test"]);
        assert!(!config.at("LocalizedConfig").inside.iter().any(|e| e.name == "MsnTodayConfig"));
    }
    let ad = Element::parse(&get(&web, "/textad").await.body);
    assert_eq!((ad.name.as_str(), ad.at("adtext").text.as_str()), ("TEXTAD", text));
    assert_eq!(ad.at("flag").text, "0");
    let start = get(&web, "/").await.body;
    assert!(!start.contains("<b>") && start.contains("Tom &amp; "), "{start}");
}

#[tokio::test]
async fn older_clients_find_their_tabs() {
    let web = web(|_| {});
    for path in ["/svcs/mms/tabs.asp", "/svcs/mms/svcs.asp", "/svcs.asp?x=y"] {
        let answer = get(&web, path).await;
        assert_eq!(answer.header("Content-Type"), Some("text/xml; charset=utf-8"));
        let list = Element::parse(&format!("<both>{}</both>", answer.body));
        assert_eq!(list.inside[0].name, "msntabsettings");
        assert_eq!(list.at("msntabdata/tab/name").text, "Welcome");
    }
    assert_eq!(get(&web, "/5meen_us/60").await.header("Location"), Some("/svcs/mms/tabs.asp"));
    assert!(get(&web, "/svcs/mms/portal.asp").await.body.contains("Welcome."));
}
