#!/bin/sh
# Renders nginx.conf.template to standard output from these environment variables:
#
#   NGINX_RUNTIME_DIR      needed: absolute path of an existing folder for the pid, temporary files and logs
#   NGINX_CACHE_DIR        $NGINX_RUNTIME_DIR/cache   absolute, made by nginx; where its workers may write
#   HTTP_HOST              127.0.0.1       address to listen on; [::1] for IPv6
#   HTTP_PORT              8080
#   USERS_UPSTREAM         127.0.0.1:8001  host:port, or several with commas between (replicas)
#   PRODUCTS_UPSTREAM      127.0.0.1:8002
#   ORDERS_UPSTREAM        127.0.0.1:8003
#   SWAGGER_UPSTREAM       127.0.0.1:8004
#   RATE_LIMIT_RPS         200             requests a second of one address, bursts of twice that; 0 is off, connection limit included
#   LOGIN_RATE_LIMIT_RPM   120             POST /users/token and POST /users a minute of one address, burst equal; 0 is off
#   NGINX_WORKERS          2               a number, or auto
#   NGINX_ACCESS_LOG       $NGINX_RUNTIME_DIR/access.log   absolute; /dev/stdout in a container
#   NGINX_ERROR_LOG        $NGINX_RUNTIME_DIR/error.log    absolute, or stderr for a container
#
# A value that is missing, empty or invalid ends it with status 1, the variable's name on standard error and nothing on standard
# output. POSIX sh and sed only.
set -eu
LC_ALL=C
export LC_ALL

fail() {
  printf 'nginx/render.sh: %s\n' "$1" >&2
  exit 1
}

newline='
'
# grep looks at each line by itself: a value of two lines would pass if one of them did.
matches() { # value, extended regular expression for all of it
  case $1 in *"$newline"*) return 1 ;; esac
  printf '%s\n' "$1" | grep -Eqx -e "$2"
}

number() { # variable, value, most
  matches "$2" '0|[1-9][0-9]{0,6}' && [ "$2" -le "$3" ] || fail "$1 must be a whole number from 0 to $3, not '$2'"
}

port() { # variable, value
  matches "$2" '[1-9][0-9]{0,4}' && [ "$2" -le 65535 ] || fail "$1 must be a port from 1 to 65535, not '$2'"
}

host='([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])'

# Absolute, and without what would end or expand a quoted nginx string.
path() { # variable, value
  case $2 in
    *[[:cntrl:]]* | *'"'* | *'\'* | *'$'*) fail "$1 must not contain control characters, quotes, backslashes or dollar signs: '$2'" ;;
    /*) ;;
    *) fail "$1 must be an absolute path, not '$2'" ;;
  esac
}

servers() { # variable, value: prints one `server` line each
  [ -n "$2" ] || fail "$1 is empty: it needs host:port"
  rest=$2,
  while [ -n "$rest" ]; do
    each=${rest%%,*}
    rest=${rest#*,}
    matches "$each" "$host:[0-9]+" || fail "$1 must be host:port, or several with commas between, not '$2'"
    port "$1" "${each##*:}"
    # Two addresses, of which a service listens on one: every second request would be a 502.
    case $each in [Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]:*) fail "$1: write 127.0.0.1 or [::1] instead of localhost" ;; esac
    printf 'server %s max_fails=1 fail_timeout=1s; ' "$each"
  done
}

runtime_dir=${NGINX_RUNTIME_DIR-}
[ -n "$runtime_dir" ] || fail 'NGINX_RUNTIME_DIR is missing: the folder for the pid, temporary files and logs'
path NGINX_RUNTIME_DIR "$runtime_dir"
cache_dir=${NGINX_CACHE_DIR-$runtime_dir/cache}
path NGINX_CACHE_DIR "$cache_dir"
access_log=${NGINX_ACCESS_LOG-$runtime_dir/access.log}
path NGINX_ACCESS_LOG "$access_log"
error_log=${NGINX_ERROR_LOG-$runtime_dir/error.log}
[ "$error_log" = stderr ] || path NGINX_ERROR_LOG "$error_log"

http_host=${HTTP_HOST-127.0.0.1}
matches "$http_host" "$host" || fail "HTTP_HOST must be an address to listen on, not '$http_host'"
http_port=${HTTP_PORT-8080}
port HTTP_PORT "$http_port"

users=$(servers USERS_UPSTREAM "${USERS_UPSTREAM-127.0.0.1:8001}")
products=$(servers PRODUCTS_UPSTREAM "${PRODUCTS_UPSTREAM-127.0.0.1:8002}")
orders=$(servers ORDERS_UPSTREAM "${ORDERS_UPSTREAM-127.0.0.1:8003}")
swagger=$(servers SWAGGER_UPSTREAM "${SWAGGER_UPSTREAM-127.0.0.1:8004}")

workers=${NGINX_WORKERS-2}
[ "$workers" = auto ] || { matches "$workers" '[1-9][0-9]{0,2}' || fail "NGINX_WORKERS must be a number or auto, not '$workers'"; }

# `rate=0r/s` is invalid, so a limit that is off has its lines commented out.
rps=${RATE_LIMIT_RPS-200}
number RATE_LIMIT_RPS "$rps" 1000000
if_rate_limit=
[ "$rps" -gt 0 ] || if_rate_limit='# off: '
rpm=${LOGIN_RATE_LIMIT_RPM-120}
number LOGIN_RATE_LIMIT_RPM "$rpm" 1000000
if_login_limit=
login_retry_after=1
if [ "$rpm" -gt 0 ]; then login_retry_after=$(((60 + rpm - 1) / rpm)); else if_login_limit='# off: '; fi

escaped() { # for the right side of sed's s|…|…|
  printf '%s\n' "$1" | sed 's/[\\&|]/\\&/g'
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
rendered=$(
  sed \
    -e "s|@NGINX_RUNTIME_DIR@|$(escaped "$runtime_dir")|g" \
    -e "s|@NGINX_CACHE_DIR@|$(escaped "$cache_dir")|g" \
    -e "s|@NGINX_ACCESS_LOG@|$(escaped "$access_log")|g" \
    -e "s|@NGINX_ERROR_LOG@|$(escaped "$error_log")|g" \
    -e "s|@NGINX_WORKERS@|$workers|g" \
    -e "s|@HTTP_HOST@|$http_host|g" \
    -e "s|@HTTP_PORT@|$http_port|g" \
    -e "s|@USERS_SERVERS@|$users|g" \
    -e "s|@PRODUCTS_SERVERS@|$products|g" \
    -e "s|@ORDERS_SERVERS@|$orders|g" \
    -e "s|@SWAGGER_SERVERS@|$swagger|g" \
    -e "s|@IF_RATE_LIMIT@|$if_rate_limit|g" \
    -e "s|@RATE_LIMIT_RPS@|$rps|g" \
    -e "s|@RATE_LIMIT_BURST@|$((rps * 2))|g" \
    -e "s|@IF_LOGIN_LIMIT@|$if_login_limit|g" \
    -e "s|@LOGIN_RATE_LIMIT_RPM@|$rpm|g" \
    -e "s|@LOGIN_RETRY_AFTER@|$login_retry_after|g" \
    "$here/nginx.conf.template"
)
unknown=$(printf '%s\n' "$rendered" | sed -n 's/.*\(@[A-Z][A-Z_]*@\).*/\1/p')
[ -z "$unknown" ] || fail "nginx.conf.template has placeholders that are not known here: $unknown"
printf '%s\n' "$rendered"
