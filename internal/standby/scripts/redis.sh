# Starts Redis as the master, or as a replica of the master.
set -eu
. /etc/redis-ha/master.sh
umask 077
cp /etc/redis-ha/redis.conf /run/redis-ha/redis.conf # Sentinel lets the server rewrite its file
now=$(master)
echo "start: the master is $now, this is $ME"
set -- /run/redis-ha/redis.conf --replica-announce-ip "$ME" --requirepass "$REDIS_PASSWORD" --masterauth "$REDIS_PASSWORD"
if [ "$now" != "$ME" ]; then set -- "$@" --replicaof "$now" "$PORT"; fi
exec redis-server "$@"
