# Finds out what is on the volume, and what a server would load of it. The
# volume is mounted for reading; everything is tried on copies.
#
# BACKUPS  "try" to load the backups, too; else they are only listed
# FROM     the backup that is tried in any case, beside the newest ones; "" for none
# APPEND_ONLY  which kind the configuration loads; of a backup that has both, that one
# MOST     the most kilobytes that are copied
MAJOR=$(major)
tell now "$(date +%s)"
tell version "$(redis-server --version 2>/dev/null | sed -n 's/.*v=\([0-9.]*\).*/\1/p')"
tell free "$(free "$DIR")"

# fits PATH: whether a copy of it, and what a repair adds, has room.
fits() {
  need=$(kilobytes "$1")
  [ "${need:-0}" -le "$MOST" ] && [ $((${need:-0} * 2 + 65536)) -le "$(free "$SCRATCH")" ]
}

# written FILE: seconds since 1970 of the last write to it.
written() { stat -c %Y "$1" 2>/dev/null; }

for file in "$DIR"/* "$DIR/$AOF_DIR"/*; do
  if [ -f "$file" ]; then tell file "$(stat -c %s "$file")" "$(written "$file")" "${file#"$DIR/"}"; fi
done | head -n 200

# attempt LABEL FOLDER yes|no: whether a server loads a copy.
attempt() {
  if serve "$2" "$3"; then
    stop
    tell loads "$1" yes "$LOADS"
    return 0
  fi
  tell loads "$1" no "$(trouble)"
  return 1
}

# span FILE KEPT: what is known of when the cut part was written.
span() {
  before=$(head -c "$2" "$1" | grep -a '^#TS:[0-9]' | tail -n 1 | tr -cd 0-9)
  if [ -n "$before" ]; then tell span "$before" "$(written "$1")"; fi
}

# examine_aof FOLDER
examine_aof() {
  name=$(aof_in "$1")
  if [ -z "$name" ]; then
    if [ -d "$1/$AOF_DIR" ] && [ "${MAJOR:-0}" -ge 7 ]; then tell aof lost; else tell aof none; fi
    return
  fi
  size=0
  newest=0
  case "$name" in *.manifest) parts="$1/$AOF_DIR"/* ;; *) parts="$1/$name" ;; esac
  for part in $parts; do
    [ -f "$part" ] || continue
    size=$((size + $(stat -c %s "$part")))
    if [ "$(written "$part")" -gt "$newest" ]; then newest=$(written "$part"); fi
  done
  tell aof there "$name" "$size" "$newest"
  if ! fits "$1"; then
    tell toobig aof
    return
  fi
  copy="$SCRATCH/copy"
  rm -rf "$copy"
  take "$1" "$copy" || { tell unread aof; return; }
  tell step "checking a copy of $name"
  whole=yes
  check "$copy/$name" || whole=no
  tell checked "$whole"
  why=
  if [ "$whole" = no ]; then why=$(hopeless "$copy/$name"); fi
  cp "$SCRATCH/check" "$SCRATCH/checked"
  tell step "loading a copy of $name"
  attempt aof "$copy" yes
  if [ "$whole" = yes ]; then return; fi
  if [ -n "$why" ]; then
    tell unfixable "$why"
    return
  fi
  rm -rf "$copy"
  take "$1" "$copy" || return # a server moves or cuts what it loads, even where it fails
  tell step "repairing a copy of $name"
  if ! mend "$copy/$name"; then
    tell unfixable "$(tail -n 1 "$SCRATCH/fix")"
    return
  fi
  cuts | while IFS="$tab" read -r part from by to; do
    tell cut "$part" "$from" "$by" "$to"
    case "$name" in
    *.manifest) span "$1/$AOF_DIR/${part##*/}" "$to" ;;
    *) span "$1/$name" "$to" ;;
    esac
  done
  attempt mended "$copy" yes
}

# examine_rdb FOLDER
examine_rdb() {
  if [ ! -f "$1/$RDB_FILE" ]; then
    tell rdb none
    return
  fi
  tell rdb there "$RDB_FILE" "$(stat -c %s "$1/$RDB_FILE")" "$(written "$1/$RDB_FILE")"
  if ! fits "$1/$RDB_FILE"; then
    tell toobig rdb
    return
  fi
  copy="$SCRATCH/copy"
  rm -rf "$copy"
  mkdir -p "$copy" && cp -p "$1/$RDB_FILE" "$copy/" || { tell unread rdb; return; }
  tell step "loading a copy of $RDB_FILE"
  attempt rdb "$copy" no
}

# backups CLAIM FOLDER: everything beside the store's own files that may be one.
backups() {
  for one in "$2"/*; do
    name=${one#"$2/"}
    kind=
    if [ -d "$one" ]; then
      if [ "$1$name" = "data$AOF_DIR" ]; then continue; fi
      if [ -f "$one/$RDB_FILE" ]; then kind=rdb; fi
      if [ -n "$(aof_in "$one")" ] && [ "$kind$APPEND_ONLY" != rdbno ]; then kind=aof; fi
      when=$(for file in "$one"/* "$one/$AOF_DIR"/*; do if [ -f "$file" ]; then written "$file"; fi; done | sort -n | tail -n 1)
    elif [ -f "$one" ]; then
      if [ "$1" = data ] && { [ "$name" = "$AOF_FILE" ] || [ "$name" = "$RDB_FILE" ]; }; then continue; fi
      case "$name" in temp-*) ;; *.rdb) kind=rdb ;; *.aof) kind=aof ;; esac
      when=$(written "$one")
    fi
    if [ -n "$kind" ]; then printf '%s\t%s\t%s\t%s\t%s\n' "${when:-0}" "$1" "$name" "$kind" "$(kilobytes "$one")"; fi
  done
}

examine_aof "$DIR"
examine_rdb "$DIR"
{
  backups data "$DIR"
  if [ -d /backup ]; then backups backup /backup; fi
} | sort -r -n | head -n 20 >"$SCRATCH/backups"
tried=0
while IFS="$tab" read -r when where name kind size; do
  tell backup "$where" "$name" "$kind" "$size" "$when"
  if [ "$BACKUPS" != try ]; then continue; fi
  if [ "$tried" -ge 6 ] && [ "${FROM:-}" != "$name" ] && [ "${FROM:-}" != "$where/$name" ]; then continue; fi
  tried=$((tried + 1))
  from="$DIR/$name"
  if [ "$where" = backup ]; then from="/backup/$name"; fi
  if ! fits "$from"; then
    tell toobig "$where/$name"
    continue
  fi
  tell step "loading a copy of the backup $name"
  copy="$SCRATCH/copy"
  rm -rf "$copy"
  mkdir -p "$copy"
  if [ -d "$from" ]; then
    take "$from" "$copy"
  elif [ "$kind" = rdb ]; then
    cp -p "$from" "$copy/$RDB_FILE"
  else
    cp -p "$from" "$copy/$AOF_FILE"
  fi || { tell unread "$where/$name"; continue; }
  if [ "$kind" = rdb ]; then attempt "$where/$name" "$copy" no; else attempt "$where/$name" "$copy" yes; fi
done <"$SCRATCH/backups"
tell read all
exit 0
