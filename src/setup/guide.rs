//! One page for each generation of Windows, and the index before them: HTML 3.2 for Internet
//! Explorer 5, plain enough to be printed.

use super::{CA_CERTIFICATE, Facts, INDEX, SERVICE_NAMES, batch, registry};

/// A generation of Windows: what is the same for all of its versions.
pub(super) struct Windows {
    /// Name of its page.
    pub(super) file: &'static str,
    name: &'static str,
    hosts: &'static str,
    /// How the batch file is started.
    start: &'static str,
    /// What this Windows needs for an encrypted sign-in, a paragraph each.
    needs: &'static [&'static str],
    /// How the certificate gets in by hand.
    certificate: &'static str,
}

const HOSTS_98: &str = r"C:\WINDOWS\hosts";
const HOSTS_NT: &str = r"%SystemRoot%\system32\drivers\etc\hosts";
const DOUBLE_CLICK: &str = "Double-click <B>setup.bat</B>. It opens the certificate in a window, \
     since this Windows cannot install one otherwise: click <I>Install Certificate</I> and accept \
     until it says that the import was successful.";
const AS_ADMINISTRATOR: &str = "Right-click <B>setup.bat</B> and choose <I>Run as \
     administrator</I>. If your own account is not an administrator, double-click \
     <B>remove-old-servers.reg</B> as yourself afterwards.";
const CLICK: &str = "Double-click <B>msnd-ca.crt</B>, then <I>Install Certificate</I>, \
     <I>Place all certificates in the following store</I>, <I>Browse</I>, <I>Trusted Root \
     Certification Authorities</I>.";
const CLICK_MACHINE: &str = "Double-click <B>msnd-ca.crt</B>, then <I>Install Certificate</I>, \
     <I>Local Machine</I> if it asks, <I>Place all certificates in the following store</I>, \
     <I>Browse</I>, <I>Trusted Root Certification Authorities</I>.";
const TLS_BOX: &str = "Control Panel, <I>Internet Options</I>, <I>Advanced</I>, near the end of \
     the list: <I>Use TLS 1.0</I> must be ticked.";
const CLOCK: &str = "Date, time and time zone must be right: a wrong date makes every certificate \
     look invalid.";

/// All of them, oldest first.
pub(super) const GENERATIONS: [Windows; 5] = [
    Windows {
        file: "win98.htm",
        name: "Windows 98 and Me",
        hosts: HOSTS_98,
        start: DOUBLE_CLICK,
        needs: &[
            "Internet Explorer 6 with Service Pack 1. Older ones lack the 128-bit encryption, \
             without which no sign-in is possible.",
            TLS_BOX,
            CLOCK,
            "Restart the computer when setup.bat is done.",
        ],
        certificate: CLICK,
    },
    Windows {
        file: "win2000.htm",
        name: "Windows 2000",
        hosts: HOSTS_NT,
        start: DOUBLE_CLICK,
        needs: &[
            "Service Pack 2 or later and Internet Explorer 6 with Service Pack 1, for 128-bit \
             encryption.",
            TLS_BOX,
            CLOCK,
            "You must be logged on as an administrator.",
        ],
        certificate: CLICK,
    },
    Windows {
        file: "winxp.htm",
        name: "Windows XP",
        hosts: HOSTS_NT,
        start: DOUBLE_CLICK,
        needs: &[
            "Service Pack 3 is best. Older ones work as long as the server uses a certificate \
             signed with SHA-1 for them, as it does unless its operator chose otherwise.",
            TLS_BOX,
            "If sign-in fails with error 80048821: untick <I>Use SSL 2.0</I> and <I>Use SSL \
             3.0</I> in the same list.",
            CLOCK,
            "If a <I>.NET Passport Wizard</I> appears instead of a sign-in, cancel it and check \
             the hosts file: the name nexus.passport.com does not lead here yet.",
        ],
        certificate: CLICK,
    },
    Windows {
        file: "win7.htm",
        name: "Windows Vista and 7",
        hosts: HOSTS_NT,
        start: AS_ADMINISTRATOR,
        needs: &["Nothing else: the versions of TLS that are on by default will do.", CLOCK],
        certificate: CLICK_MACHINE,
    },
    Windows {
        file: "win10.htm",
        name: "Windows 8, 10 and 11",
        hosts: HOSTS_NT,
        start: AS_ADMINISTRATOR,
        needs: &[
            "Nothing else: Windows 8.1 and later use TLS 1.2, Windows 8 uses TLS 1.0.",
            "A virus scanner may object to changes of the hosts file; it has to be allowed.",
            CLOCK,
        ],
        certificate: CLICK_MACHINE,
    },
];

/// Numbers that the client shows, what they mean here, what to do.
const ERRORS: [[&str; 3]; 10] = [
    [
        "80048820, 80048821",
        "Sign-in failed: wrong password, wrong date, certificate or TLS.",
        "Try the password again; check the clock; is the certificate installed and TLS 1.0 ticked?",
    ],
    [
        "Other 8004882x and 8004883x",
        "The sign-in service failed.",
        "Wait a few minutes; then ask the operator.",
    ],
    [
        "81000306, 8100030x, 81000314",
        "No connection to the server, or it was lost during sign-in.",
        "Check the hosts file and the firewall (ports 1863, 1864, 1865); apply \
         remove-old-servers.reg.",
    ],
    ["80072ee7", "A name was not found.", "Check the hosts file."],
    ["80072efd", "The sign-in service cannot be reached.", "Firewall or proxy; port 443."],
    [
        "80072efe, 80072eff",
        "The connection was cut off.",
        "Mostly TLS: see what this Windows needs, above.",
    ],
    ["80072f05", "The certificate is not valid on this date.", "Set date and time."],
    [
        "80072f06",
        "The certificate is for another name.",
        "Ask the operator (msnd cert renew --name ...).",
    ],
    ["80072f0d", "The certificate authority is unknown.", "Install msnd-ca.crt as below."],
    [
        "80072f19, 80072745, 80072746",
        "Revocation could not be checked; the connection was aborted or reset.",
        "Untick <I>Check for server certificate revocation</I> under Internet Options, Advanced; \
         try again.",
    ],
];

/// The page before all others.
pub(super) fn index(facts: &Facts) -> String {
    let Facts { address, host, ca, .. } = facts;
    let mut text = head(&format!("MSN Messenger at {host}"));
    text += &format!(
        "<P>MSN Messenger 5.0 to 6.2 finds this server ({address}) after three small changes to \
         your computer. Choose your Windows:</P>\n<UL>\n"
    );
    for Windows { file, name, .. } in &GENERATIONS {
        text += &format!("<LI><A HREF=\"{file}\">{name}</A>\n");
    }
    text += &format!(
        "</UL>\n<H2>The files</H2>\n<P>Save all four in one folder.</P>\n<UL>\n\
         <LI><A HREF=\"{batch}\">{batch}</A> applies the other three, and takes them back\n\
         <LI><A HREF=\"hosts.txt\">hosts.txt</A>: lines for the hosts file\n\
         <LI><A HREF=\"{CA_CERTIFICATE}\">{CA_CERTIFICATE}</A>: the certificate authority of this \
         server\n\
         <LI><A HREF=\"{registry}\">{registry}</A> makes Messenger forget an older server\n</UL>\n",
        batch = batch::FILE,
        registry = registry::FILE,
    );
    text += &format!(
        "<H2>Other ways to this server</H2>\n\
         <P><B>A Messenger that was patched for this server</B> has its name in place of \
         messenger.hotmail.com and signs in without lines in the hosts file. It needs \
         {CA_CERTIFICATE}, unless the operator says otherwise, and {registry}: follow <I>By hand</I> on \
         the page about your Windows, without the first step. With the lines it has tabs and links \
         too.</P>\n\
         <P><B>aMSN, gaim and other programs</B> look for the same names and need the same lines; \
         the server to enter, if they have a field for it, is messenger.hotmail.com with port 1863. \
         Those that check certificates have a list of their own to which {CA_CERTIFICATE} must be \
         added.</P>\n\
         <P><B>A proxy</B> set in Internet Explorer looks the names up itself, and your hosts file \
         is not asked. Turn it off, or ask the operator whether it leads the names to this \
         server.</P>\n",
        registry = registry::FILE,
    );
    text += &format!(
        "<H2>Fingerprints of the certificate authority</H2>\n<P>{name}</P>\n\
         <P>SHA-1: <CODE>{sha1}</CODE></P>\n<P>SHA-256: <CODE>{sha256}</CODE></P>\n\
         <P>Windows shows the first one as <I>Thumbprint</I>. Compare it with what the operator \
         told you in some other way: this page came over a connection that others could have \
         changed. Whoever holds the key of an authority that you install can pretend to be the web \
         sites it is made for; this one is made for the names of Messenger and of this server, \
         which Windows XP with Service Pack 3 and later enforce.</P>\n</BODY>\n</HTML>\n",
        name = ca.name,
        sha1 = ca.sha1,
        sha256 = ca.sha256,
    );
    text
}

impl Windows {
    /// The page of this generation.
    pub(super) fn page(&self, facts: &Facts) -> String {
        let Facts { address, host, ca, .. } = facts;
        let mut text = head(&format!("MSN Messenger at {host}: {}", self.name));
        text += "<H2>Before</H2>\n<UL>\n<LI>MSN Messenger 5.0 to 6.2 is installed and closed.\n";
        for need in self.needs {
            text += &format!("<LI>{need}\n");
        }
        text += &format!(
            "</UL>\n<H2>With setup.bat</H2>\n<OL>\n\
             <LI>Save <A HREF=\"setup.bat\">setup.bat</A>, <A HREF=\"hosts.txt\">hosts.txt</A>, \
             <A HREF=\"{CA_CERTIFICATE}\">{CA_CERTIFICATE}</A> and \
             <A HREF=\"{registry}\">{registry}</A> in one folder.\n\
             <LI>{start}\n\
             <LI>Start Messenger and sign in with the address and password that the operator of \
             {host} gave you.\n</OL>\n\
             <P>To take everything back: <CODE>setup.bat undo</CODE>, started in the same way from \
             a command prompt.</P>\n",
            registry = registry::FILE,
            start = self.start,
        );
        text += &format!(
            "<H2>By hand</H2>\n<OL>\n\
             <LI>Open <CODE>{hosts}</CODE> with Notepad (make it if it is not there; it has no \
             extension) and put the lines of hosts.txt at its beginning. They lead {count} names, \
             such as <CODE>{example}</CODE>, to <CODE>{address}</CODE>.\n\
             <LI>{certificate} The thumbprint must be <CODE>{sha1}</CODE>.\n\
             <LI>Double-click <B>{registry}</B>.\n</OL>\n\
             <P>Does Internet Explorer use a proxy? Then the hosts file is not asked for these \
             names: turn the proxy off, or ask the operator. Is your Messenger a patched one, or \
             another program? See <A HREF=\"{INDEX}\">Other ways</A>.</P>\n\
             <P>Once signed in, the client should show the tabs of this server, and MSN \
             Today should lead to it.</P>\n",
            hosts = self.hosts,
            count = facts.names.len(),
            example = SERVICE_NAMES[0],
            certificate = self.certificate,
            sha1 = ca.sha1,
            registry = registry::FILE,
        );
        text += "<H2>If it does not work</H2>\n<TABLE BORDER=1 CELLPADDING=4>\n\
                 <TR><TH>Error</TH><TH>Means</TH><TH>What to do</TH></TR>\n";
        for [number, means, remedy] in ERRORS {
            text += &format!("<TR><TD>{number}</TD><TD>{means}</TD><TD>{remedy}</TD></TR>\n");
        }
        text + "</TABLE>\n<P><A HREF=\"index.htm\">All versions of Windows</A></P>\n\
                </BODY>\n</HTML>\n"
    }
}

fn head(title: &str) -> String {
    format!(
        "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<HTML>\n<HEAD>\n\
         <TITLE>{title}</TITLE>\n</HEAD>\n<BODY BGCOLOR=\"#FFFFFF\" TEXT=\"#000000\">\n\
         <H1>{title}</H1>\n"
    )
}
