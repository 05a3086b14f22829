# What the scripts that change a volume share. The store is stopped.
#
# BACKUP  name of the folder that the files go to before anything is changed
MAJOR=$(major)
KEEP="$DIR/$BACKUP"
PART="$DIR/.$BACKUP.part"

# fresh: the folder is of this work alone.
fresh() {
  if [ -e "$KEEP" ]; then refuse "$KEEP is there already: this was begun before. Nothing was changed."; fi
  rm -rf "$PART"
}

# room KILOBYTES: for a copy, and a little more.
room() {
  has=$(free "$DIR")
  if [ "${has:-0}" -lt $(($1 + $1 / 10 + 1024)) ]; then
    refuse "The copy needs $1 kB and the volume has only ${has:-0} kB left. Nothing was changed. Make the volume larger."
  fi
}

# weight FOLDER: kilobytes of the store's own files in it.
weight() {
  sum=0
  for one in "$AOF_DIR" "$AOF_FILE" "$RDB_FILE"; do
    if [ -e "$1/$one" ]; then sum=$((sum + $(kilobytes "$1/$one"))); fi
  done
  printf '%s' "$sum"
}

# same FOLDER FOLDER: whether a copy is what it is a copy of.
same() {
  for one in "$1/$AOF_DIR"/* "$1/$AOF_FILE" "$1/$RDB_FILE"; do
    if [ -f "$one" ] && ! cmp -s "$one" "$2/${one#"$1/"}"; then return 1; fi
  done
}

# copy_aside: the files as they are, in KEEP, whole and on disk.
copy_aside() {
  fresh
  room "$(weight "$DIR")"
  tell step "copying the files to $KEEP"
  if ! take "$DIR" "$PART" || ! sync || ! same "$DIR" "$PART"; then
    rm -rf "$PART"
    refuse "The files could not be copied to $KEEP. Nothing was changed."
  fi
  mv "$PART" "$KEEP" && sync || refuse "The copy could not be named $KEEP. Nothing was changed."
}

# move_aside: the files themselves, to KEEP.
move_aside() {
  tell step "moving the files to $KEEP"
  mkdir "$KEEP" || refuse "$KEEP cannot be made. Nothing was changed."
  for one in "$AOF_DIR" "$AOF_FILE" "$RDB_FILE"; do
    if [ -e "$DIR/$one" ] && ! mv "$DIR/$one" "$KEEP/"; then
      put_back
      refuse "$DIR/$one could not be moved to $KEEP. The files are where they were."
    fi
  done
  sync
}

# put_back: undoes move_aside.
put_back() {
  for one in "$AOF_DIR" "$AOF_FILE" "$RDB_FILE"; do
    if [ -e "$KEEP/$one" ] && [ ! -e "$DIR/$one" ]; then mv "$KEEP/$one" "$DIR/"; fi
  done
  rmdir "$KEEP" 2>/dev/null
  sync
}
