# What every script on a volume begins with. POSIX sh, and only programs that
# busybox and Debian both have. The bot reads the lines that begin with @.
#
# DIR      the store's data folder
# SCRATCH  a folder of this pod's own, gone with it
# AOF_DIR AOF_FILE RDB_FILE   as the store's configuration names them
# CONF     the directives that decide what a server loads
set -u
umask 077
LC_ALL=C
export LC_ALL
tab=$(printf '\t')

# tell NAME VALUE…: one fact for the bot.
tell() {
  line="@$1"
  shift
  for word in "$@"; do line="$line$tab$(printf '%s' "$word" | tr '\t\r\n' '   ')"; done
  printf '%s\n' "$line"
}

# refuse SENTENCE: the end, and nothing was damaged.
refuse() {
  tell refused "$*"
  exit 3
}

kilobytes() { du -sk "$1" 2>/dev/null | cut -f 1; }
free() { df -Pk "$1" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4; }
major() { redis-server --version 2>/dev/null | sed -n 's/.*v=\([0-9]*\).*/\1/p'; }

# aof_in FOLDER: the file to begin with, relative to the folder. Redis 7 takes
# a single file only where it finds no manifest.
aof_in() {
  if [ "${MAJOR:-0}" -ge 7 ] && [ -e "$1/$AOF_DIR/$AOF_FILE.manifest" ]; then
    printf '%s' "$AOF_DIR/$AOF_FILE.manifest"
  elif [ -e "$1/$AOF_FILE" ]; then
    printf '%s' "$AOF_FILE"
  fi
}

# take FOLDER INTO: copies the files that a server may load.
take() {
  mkdir -p "$2" || return 1
  for one in "$AOF_DIR" "$AOF_FILE" "$RDB_FILE"; do
    if [ -e "$1/$one" ]; then cp -R -p "$1/$one" "$2/" || return 1; fi
  done
}

# check FILE: redis-check-aof without --fix; what it said is in $SCRATCH/check.
check() { redis-check-aof "$1" </dev/null >"$SCRATCH/check" 2>&1; }

# hopeless FILE: why --fix must not be tried; it would empty a damaged manifest.
hopeless() {
  case "$1" in
  *.manifest)
    if ! grep -q '^Start checking Multi Part AOF' "$SCRATCH/check"; then
      printf 'manifest'
      return
    fi ;;
  esac
  if grep -q 'RDB preamble of AOF file is not sane\|RDB ERROR DETECTED' "$SCRATCH/check"; then printf 'base'; fi
}

# mend FILE: redis-check-aof --fix, which asks before it cuts.
mend() { printf 'y\ny\ny\n' | redis-check-aof --fix "$1" >"$SCRATCH/fix" 2>&1; }

# cuts: what --fix has cut, as "file from by to".
cuts() {
  tr -d '\r' <"$SCRATCH/fix" | sed -n 's/.*This will shrink the AOF \(.*\) from \([0-9]*\) bytes, with \([0-9]*\) bytes, to \([0-9]*\) bytes.*/\1	\2	\3	\4/p' | tail -n 1
}

# serve FOLDER yes|no: a server of this pod's own on a copy. 0: it has loaded.
# LOADS is the number of keys then.
serve() {
  LOADS=-1
  SOCKET="$SCRATCH/s"
  rm -f "$SOCKET"
  printf '%s\n' "$CONF" >"$SCRATCH/redis.conf"
  redis-server "$SCRATCH/redis.conf" --port 0 --unixsocket "$SOCKET" --dir "$1" --save '' --appendonly "$2" --daemonize no >"$SCRATCH/server" 2>&1 &
  SERVER=$!
  while kill -0 "$SERVER" 2>/dev/null; do
    case "$(redis-cli -s "$SOCKET" ping 2>/dev/null)" in
    PONG)
      LOADS=0
      for n in $(redis-cli -s "$SOCKET" info keyspace 2>/dev/null | tr -d '\r' | sed -n 's/^db[0-9]*:keys=\([0-9]*\),.*/\1/p'); do
        LOADS=$((LOADS + n))
      done
      return 0 ;;
    esac
    sleep 0.1 2>/dev/null || sleep 1
  done
  wait "$SERVER"
  return 1
}

# stop: ends the server of this pod's own.
stop() {
  redis-cli -s "$SOCKET" shutdown nosave >/dev/null 2>&1
  wait "$SERVER" 2>/dev/null
}

# trouble: why the server of this pod's own has ended.
trouble() { tr -d '\r' <"$SCRATCH/server" | grep '#\|rror' | grep -v 'oO0OoO0\|overcommit_memory\|Redis version=' | tail -n 1 | sed 's/^[^#]*# *//' | cut -c 1-300; }
