# Takes the store's files out of its way, so that it starts empty.
fresh
if [ "$(weight "$DIR")" = 0 ] && [ -z "$(aof_in "$DIR")" ]; then refuse "There is no file in $DIR that the store would load. Nothing was changed."; fi
move_aside
tell says "the files are in $KEEP; the store starts empty"
