vcl 4.1;
# Varnish 6 or 7 in front of `lantern serve`:
#
#   varnishd -a :80 -f /etc/varnish/lantern.vcl -s malloc,256m -s large=file,/var/lib/varnish/lantern,20g
#
# It keeps what it fetches and reads a response once for all clients, as fast as Lantern sends it. It has no TLS: with
# Caddy, HAProxy or hitch in front of it, whose address is below, the server has LANTERN_PROXIES=2, else 1.

import std;

acl proxies {  # in front of Varnish: believed
    #"127.0.0.1";
}

backend lantern {
    .host = "127.0.0.1";
    .port = "8000";
    .connect_timeout = 5s;
    .first_byte_timeout = 60s;
    .between_bytes_timeout = 30s;
    .max_connections = 100;
    .probe = { .url = "/healthz"; .interval = 5s; .timeout = 4s; .window = 4; .threshold = 2; .initial = 2; }
}

sub vcl_recv {
    # Links begin with the host: only ours is asked for.
    if (req.http.Host !~ "^data\.example\.org(:[0-9]+)?$") { return (synth(421)); }
    if (req.method != "GET" && req.method != "HEAD" && req.method != "OPTIONS") { return (synth(405)); }
    unset req.http.Cookie;
    unset req.http.Forwarded;
    set req.http.X-Request-Id = req.xid;
    if (client.ip ~ proxies) {  # Varnish added its address to X-Forwarded-For before this runs
        set req.http.X-Forwarded-Host = req.http.X-Forwarded-Host + ", " + req.http.Host;
        set req.http.X-Forwarded-Proto = req.http.X-Forwarded-Proto + ", http";
        set req.http.X-Forwarded-Prefix = req.http.X-Forwarded-Prefix + ", /";
    } else {
        set req.http.X-Forwarded-For = client.ip;
        set req.http.X-Forwarded-Host = req.http.Host;
        set req.http.X-Forwarded-Proto = "http";
        unset req.http.X-Forwarded-Prefix;
    }
    # A response that is good is given; one that is not, while a new one is fetched, or when none can be had.
    set req.grace = 1h;
    if (!std.healthy(req.backend_hint)) { set req.grace = 7d; }
    if (req.method == "OPTIONS") { return (pass); }
    return (hash);
}

sub vcl_hash {
    hash_data(req.http.X-Forwarded-Proto + req.http.X-Forwarded-Host + req.http.X-Forwarded-Prefix);
}

sub vcl_backend_response {
    set beresp.grace = 7d;
    # An error is no reason to forget what was right.
    if (beresp.status >= 500 && bereq.is_bgfetch) { return (abandon); }
    if (std.integer(beresp.http.Content-Length, 10000000) > 1000000) { set beresp.storage = storage.large; }
}

sub vcl_deliver {
    # A response that was kept names the request that it answers now.
    set resp.http.X-Request-Id = req.xid;
    unset resp.http.X-Varnish;
    unset resp.http.Via;
}

sub vcl_synth {
    set resp.http.Content-Type = "application/problem+json";
    set resp.http.Access-Control-Allow-Origin = "*";
    set resp.http.Cache-Control = "no-store";
    set resp.body = {"{"type": "about:blank", "title": ""} + resp.reason + {"", "status": "} + resp.status + {"}
"};
    return (deliver);
}

sub vcl_backend_error {
    set beresp.http.Content-Type = "application/problem+json";
    set beresp.http.Access-Control-Allow-Origin = "*";
    set beresp.http.Retry-After = "10";
    set beresp.body = {"{"type": "about:blank", "title": ""} + beresp.reason + {"", "status": "} + beresp.status + {"}
"};
    return (deliver);
}
