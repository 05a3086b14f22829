# Puts one backup back. The present files are moved aside first.
#
# FROM  the backup: a folder or a file
# KIND  what it is: "files" to put a folder back as it is, "aof" or "rdb" for one
#       that a server loads
# APPEND_ONLY  yes or no: which kind the configuration loads
# WAS   size and time of the file that was looked at; another one is refused
if [ ! -e "$FROM" ]; then refuse "$FROM is not there any more. Nothing was changed."; fi
if [ -n "${WAS:-}" ] && [ "$(stat -c '%s %Y' "$FROM")" != "$WAS" ]; then refuse "$FROM was written anew after the plan had looked at it. Nothing was changed. Make a new plan."; fi
fresh
room "$(kilobytes "$FROM")"
NEW="$PART"
mkdir "$NEW" || refuse "$NEW cannot be made. Nothing was changed."

# give_up SENTENCE
give_up() {
  rm -rf "$NEW"
  refuse "$1 Nothing was changed."
}

tell step "copying $FROM"
from="$NEW"
convert=no
case "$KIND$APPEND_ONLY" in aofno | rdbyes) convert=yes from="$SCRATCH/from" ;; esac
mkdir -p "$from"
if [ -d "$FROM" ]; then
  take "$FROM" "$from" && same "$FROM" "$from" || give_up "$FROM could not be copied."
elif [ "$KIND" = rdb ]; then
  cp -p "$FROM" "$from/$RDB_FILE" && cmp -s "$FROM" "$from/$RDB_FILE" || give_up "$FROM could not be copied."
else
  cp -p "$FROM" "$from/$AOF_FILE" && cmp -s "$FROM" "$from/$AOF_FILE" || give_up "$FROM could not be copied."
fi

# ask COMMAND…: of the server of this pod's own.
ask() { redis-cli -s "$SOCKET" "$@" 2>/dev/null | tr -d '\r'; }

if [ "$convert" = yes ] && [ "$KIND" = rdb ]; then
  # A server with the append-only file on does not look at a snapshot.
  tell step "writing the snapshot anew as an append-only file"
  rm -rf "${from:?}/$AOF_DIR" "${from:?}/$AOF_FILE"
  serve "$from" no || give_up "The snapshot does not load: $(trouble)."
  if [ "$(ask config set appendonly yes)" != OK ]; then give_up "The server would not write an append-only file."; fi
  while ask info persistence | grep -q 'aof_rewrite_in_progress:1\|aof_rewrite_scheduled:1'; do sleep 1; done
  if ! ask info persistence | grep -q 'aof_last_bgrewrite_status:ok'; then give_up "The append-only file could not be written."; fi
  keys=$LOADS
  stop
  for one in "$AOF_DIR" "$AOF_FILE"; do
    if [ -e "$from/$one" ]; then cp -R -p "$from/$one" "$NEW/" || give_up "The new append-only file could not be copied."; fi
  done
  check "$NEW/$(aof_in "$NEW")" || give_up "The new append-only file is not whole."
  tell says "wrote the snapshot's $keys keys as an append-only file, which is what the configuration loads"
elif [ "$convert" = yes ]; then
  tell step "writing the append-only file anew as a snapshot"
  serve "$from" yes || give_up "The append-only file does not load: $(trouble)."
  if [ "$(ask save)" != OK ]; then give_up "The snapshot could not be written."; fi
  keys=$LOADS
  stop
  cp -p "$from/$RDB_FILE" "$NEW/" || give_up "The new snapshot could not be copied."
  tell says "wrote the append-only file's $keys keys as a snapshot, which is what the configuration loads"
fi
sync
move_aside
for one in "$AOF_DIR" "$AOF_FILE" "$RDB_FILE"; do
  if [ -e "$NEW/$one" ] && ! mv "$NEW/$one" "$DIR/"; then
    for half in "$AOF_DIR" "$AOF_FILE" "$RDB_FILE"; do rm -rf "${DIR:?}/$half"; done
    put_back
    give_up "The backup could not be put into $DIR; the files are back where they were."
  fi
done
rm -rf "$NEW"
sync
tell says "put $FROM back; the files that were there are in $KEEP"
