//! Encryption, authentication and authorisation: none of it is kept yet, so that what asks for it is refused.

use super::Definition;
use super::build::{boolean, class, double, int, list, long, password, short, string};

pub(super) const SECURITY: &[Definition] = &[
    string("authorizer.class.name").default("").protects().doc("The class that decides who may do what."),
    class("principal.builder.class")
        .default("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder")
        .per_broker()
        .protects()
        .doc("The class that names the client of a connection."),
    password("delegation.token.secret.key").protects().doc("The key that signs delegation tokens."),
    long("delegation.token.max.lifetime.ms").default("604800000").at_least(1).doc("How long a delegation token can be renewed."),
    long("delegation.token.expiry.time.ms").default("86400000").at_least(1).doc("How long a delegation token lasts."),
    long("delegation.token.expiry.check.interval.ms").default("3600000").at_least(1).doc("How often expired delegation tokens are looked for."),
    string("security.providers").protects().doc("Classes that bring security algorithms."),
    string("ssl.protocol").default("TLSv1.3").per_broker().protects().doc("The TLS version that is preferred."),
    string("ssl.provider").per_broker().protects().doc("The provider of TLS."),
    list("ssl.enabled.protocols").default("TLSv1.2,TLSv1.3").per_broker().protects().doc("The TLS versions that are offered."),
    list("ssl.cipher.suites").default("").per_broker().protects().doc("The cipher suites that are offered."),
    string("ssl.client.auth")
        .default("none")
        .one_of(&["required", "requested", "none"])
        .per_broker()
        .protects()
        .doc("Whether clients need a certificate."),
    string("ssl.keystore.type").default("JKS").per_broker().protects().doc("Format of the key store."),
    string("ssl.keystore.location").per_broker().protects().doc("Where the key store is."),
    password("ssl.keystore.password").per_broker().protects().doc("Password of the key store."),
    password("ssl.keystore.key").per_broker().protects().doc("The private key."),
    password("ssl.keystore.certificate.chain").per_broker().protects().doc("The certificates of the private key."),
    password("ssl.key.password").per_broker().protects().doc("Password of the private key."),
    string("ssl.truststore.type").default("JKS").per_broker().protects().doc("Format of the trust store."),
    string("ssl.truststore.location").per_broker().protects().doc("Where the trust store is."),
    password("ssl.truststore.password").per_broker().protects().doc("Password of the trust store."),
    password("ssl.truststore.certificates").per_broker().protects().doc("The certificates that are trusted."),
    string("ssl.keymanager.algorithm").default("SunX509").per_broker().protects().doc("Algorithm of the key manager."),
    string("ssl.trustmanager.algorithm").default("PKIX").per_broker().protects().doc("Algorithm of the trust manager."),
    string("ssl.endpoint.identification.algorithm")
        .default("https")
        .per_broker()
        .protects()
        .doc("How a server's name is checked against its certificate."),
    string("ssl.secure.random.implementation").per_broker().protects().doc("The random numbers that TLS uses."),
    class("ssl.engine.factory.class").per_broker().protects().doc("The class that makes TLS engines."),
    string("ssl.principal.mapping.rules").default("DEFAULT").protects().doc("How a certificate's name becomes a user's name."),
    boolean("ssl.allow.dn.changes").default("false").protects().doc("Whether a new certificate may carry another name."),
    boolean("ssl.allow.san.changes").default("false").protects().doc("Whether a new certificate may carry other alternative names."),
    list("sasl.enabled.mechanisms").default("GSSAPI").per_broker().protects().doc("The SASL mechanisms that are offered."),
    string("sasl.mechanism.inter.broker.protocol").default("GSSAPI").per_broker().protects().doc("The SASL mechanism between brokers."),
    string("sasl.mechanism.controller.protocol").default("GSSAPI").protects().doc("The SASL mechanism between controllers."),
    password("sasl.jaas.config").per_broker().protects().doc("Credentials and login modules."),
    class("sasl.client.callback.handler.class").protects().doc("The class that answers SASL questions as a client."),
    class("sasl.server.callback.handler.class").protects().doc("The class that answers SASL questions as a server."),
    int("sasl.server.max.receive.size").default("524288").protects().doc("Largest SASL message that is read."),
    class("sasl.login.class").protects().doc("The class that logs in."),
    class("sasl.login.callback.handler.class").protects().doc("The class that answers a login's questions."),
    int("sasl.login.connect.timeout.ms").protects().doc("How long connecting to the identity provider may take."),
    int("sasl.login.read.timeout.ms").protects().doc("How long reading from the identity provider may take."),
    long("sasl.login.retry.backoff.ms").default("100").protects().doc("Wait before a login is tried again, at first."),
    long("sasl.login.retry.backoff.max.ms").default("10000").protects().doc("Longest wait before a login is tried again."),
    double("sasl.login.refresh.window.factor")
        .default("0.8")
        .per_broker()
        .protects()
        .doc("Share of a credential's life after which it is renewed."),
    double("sasl.login.refresh.window.jitter")
        .default("0.05")
        .per_broker()
        .protects()
        .doc("Chance in the time at which a credential is renewed."),
    short("sasl.login.refresh.min.period.seconds").default("60").per_broker().protects().doc("Shortest time between two renewals."),
    short("sasl.login.refresh.buffer.seconds").default("300").per_broker().protects().doc("Time before a credential's end that is kept free."),
    string("sasl.kerberos.service.name").per_broker().protects().doc("The principal that Kerberos knows the broker by."),
    string("sasl.kerberos.kinit.cmd").default("/usr/bin/kinit").per_broker().protects().doc("The command that gets a Kerberos ticket."),
    long("sasl.kerberos.min.time.before.relogin").default("60000").per_broker().protects().doc("Shortest time between two Kerberos logins."),
    list("sasl.kerberos.principal.to.local.rules")
        .default("DEFAULT")
        .per_broker()
        .protects()
        .doc("How a Kerberos principal becomes a user's name."),
    double("sasl.kerberos.ticket.renew.jitter").default("0.05").per_broker().protects().doc("Chance in the time at which a ticket is renewed."),
    double("sasl.kerberos.ticket.renew.window.factor")
        .default("0.8")
        .per_broker()
        .protects()
        .doc("Share of a ticket's life after which it is renewed."),
    string("sasl.oauthbearer.assertion.algorithm")
        .default("RS256")
        .one_of_any_case(&["ES256", "RS256"])
        .protects()
        .doc("Algorithm that signs assertions."),
    string("sasl.oauthbearer.assertion.claim.aud").protects().doc("Audience that an assertion claims."),
    int("sasl.oauthbearer.assertion.claim.exp.seconds").default("300").between(0, 86_400).protects().doc("How long an assertion lasts."),
    string("sasl.oauthbearer.assertion.claim.iss").protects().doc("Issuer that an assertion claims."),
    boolean("sasl.oauthbearer.assertion.claim.jti.include").default("false").protects().doc("Whether each assertion has an id."),
    int("sasl.oauthbearer.assertion.claim.nbf.seconds")
        .default("60")
        .between(0, 3600)
        .protects()
        .doc("How far in the past an assertion begins."),
    string("sasl.oauthbearer.assertion.claim.sub").protects().doc("Subject that an assertion claims."),
    string("sasl.oauthbearer.assertion.file").protects().doc("A file with an assertion."),
    string("sasl.oauthbearer.assertion.private.key.file").protects().doc("The key that signs assertions."),
    password("sasl.oauthbearer.assertion.private.key.passphrase").protects().doc("Password of that key."),
    string("sasl.oauthbearer.assertion.template.file").protects().doc("A file with an assertion's fixed parts."),
    string("sasl.oauthbearer.client.credentials.client.id").protects().doc("The client id for the identity provider."),
    password("sasl.oauthbearer.client.credentials.client.secret").protects().doc("The client secret for the identity provider."),
    int("sasl.oauthbearer.clock.skew.seconds").default("30").protects().doc("How far the identity provider's clock may differ."),
    list("sasl.oauthbearer.expected.audience").default("").protects().doc("Audiences that a token may be for."),
    string("sasl.oauthbearer.expected.issuer").protects().doc("The issuer that a token must be from."),
    long("sasl.oauthbearer.jwks.endpoint.refresh.ms").default("3600000").protects().doc("How often the keys are fetched."),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms").default("100").protects().doc("Wait before the keys are fetched again, at first."),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms")
        .default("10000")
        .protects()
        .doc("Longest wait before the keys are fetched again."),
    string("sasl.oauthbearer.jwks.endpoint.url").protects().doc("Where the keys are."),
    class("sasl.oauthbearer.jwt.retriever.class")
        .default("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever")
        .protects()
        .doc("The class that gets tokens."),
    class("sasl.oauthbearer.jwt.validator.class")
        .default("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator")
        .protects()
        .doc("The class that checks tokens."),
    string("sasl.oauthbearer.scope").protects().doc("The scope that a token is asked for with."),
    string("sasl.oauthbearer.scope.claim.name").default("scope").protects().doc("The claim that holds a token's scope."),
    string("sasl.oauthbearer.sub.claim.name").default("sub").protects().doc("The claim that holds a token's subject."),
    string("sasl.oauthbearer.token.endpoint.url").protects().doc("Where tokens are got."),
];
