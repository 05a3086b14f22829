# Cuts the damaged end off the append-only file, on a copy's safe side.
#
# CUT  how many bytes the plan has announced; another number is refused
name=$(aof_in "$DIR")
if [ -z "$name" ]; then refuse "There is no append-only file in $DIR any more. Nothing was changed."; fi
tell step "checking $name"
if check "$DIR/$name"; then
  tell says "the append-only file is whole: nothing was cut"
  exit 0
fi
why=$(hopeless "$DIR/$name")
if [ -n "$why" ]; then refuse "The damage is in the $why of the append-only file, which redis-check-aof cannot repair. Nothing was changed."; fi
would=$(sed -n 's/^AOF analyzed: .*diff=\([0-9]*\).*/\1/p' "$SCRATCH/check" | tail -n 1)
if [ "$would" != "$CUT" ]; then refuse "The repair would cut $would bytes, and the plan has announced $CUT. Nothing was changed. Make a new plan."; fi
copy_aside
tell step "repairing $name"
if ! mend "$DIR/$name" || ! check "$DIR/$name"; then
  for one in "$AOF_DIR" "$AOF_FILE"; do
    if [ -e "$KEEP/$one" ]; then cp -R -p "$KEEP/$one" "$DIR/"; fi
  done
  sync
  refuse "The append-only file could not be repaired: $(tail -n 1 "$SCRATCH/fix"). The files are as they were, and a copy is in $KEEP."
fi
sync
cuts | while IFS="$tab" read -r part from by to; do
  tell says "cut the last $by of $from bytes of ${part##*/}"
done
tell says "redis-check-aof finds the file whole now; the files as they were are in $KEEP"
