#!/bin/bash
# What the gate costs: the statement that books (components/booking/src/sql/book.sql), run by pgbench on a
# PostgreSQL of its own, with all triggers and without some of them. Every contestant has a database of its
# own on the one server; they take turns. The disk is not waited for, so that it hides nothing.
# What counts is processor time: that of the server's processes, user and system, for each booking. Bookings a
# second are shown beside it.
#   benches/gate.sh [ROUNDS] [BOOKINGS] [CLIENTS]
set -euo pipefail
rounds=${1:-5} bookings=${2:-20000} clients=${3:-4}
root=$(cd "$(dirname "$0")/.." && pwd)
programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi; }
if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; fi
cleanup() {
    as "$programs/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap cleanup EXIT
cd /
as "$programs/initdb" -D "$folder/data" --no-sync --auth=trust --username=praxis --encoding=UTF8 \
    --locale=C.UTF-8 >/dev/null
as "$programs/pg_ctl" -D "$folder/data" -w -l "$folder/log" -o "-p $port -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c jit=off \
    -c shared_buffers=256MB -c timezone=UTC -c autovacuum=off" start >/dev/null
sql() { psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U praxis "$@"; }

# 400 practitioners who never sleep, in UTC; 64 patients. A client's n-th booking is with a practitioner of
# its own, at the first hour that is free there: nobody waits, nothing is refused.
script=$folder/book.pgbench
{
    echo '\set n :n + 1'
    echo '\set p :client_id * 100 + (:n - 1) % 100'
    echo '\set slot (:n - 1) / 100'
    # pgbench sees variables in quotes, too.
    sed -e "s/'system:holds'/('system' || chr(58) || 'holds')/" -e 's/\$19/'"('patient:' || :client_id::text)"'/g' -e 's/\$18/3/g' -e 's/\$17/1/g' \
        -e "s/\\\$16/'{\"status\": \"confirmed\"}'/g" -e "s/\\\$15/'hash'/g" \
        -e 's/\$14/gen_random_uuid()/g' -e 's/\$13/:client_id/g' -e "s/\\\$12/'BookingCreated'/g" \
        -e 's/\$11/gen_random_uuid()/g' -e 's/\$10/null/g' -e "s/\\\$9/'confirmed'/g" -e "s/\\\$8/'UTC'/g" \
        -e 's/\$7/(:slot::int % 24)/g' -e "s/\\\$6/('2027-01-01'::date + :slot::int \/ 24)/g" \
        -e 's/\$5/(1798761600 + 3600 * :slot::bigint)/g' -e "s/\\\$4/('00000000-0000-4000-9000-' || lpad(:client_id::text, 12, '0'))/g" \
        -e "s/\\\$3/'clinic'/g" -e "s/\\\$2/('00000000-0000-4000-8000-' || lpad(:p::text, 12, '0'))/g" \
        -e 's/\$1/gen_random_uuid()/g' "$root/components/booking/src/sql/book.sql"
    echo ';'
} >"$script"
chmod 755 "$folder"

declare -A without=(
    [all]=""
    [no-history]="drop trigger bookings_recorded on bookings"
    [no-alignment]="drop trigger bookings_aligned on bookings"
    [neither]="drop trigger bookings_recorded on bookings; drop trigger bookings_aligned on bookings"
)
prepare() {
    sql -d postgres -c "drop database if exists \"$1\"" -c "create database \"$1\"" 2>/dev/null
    cat "$root"/migrations/*.sql | sql -d "$1" >/dev/null
    sql -d "$1" -c "
        insert into tenants (id, name) values ('clinic', 'Clinic');
        insert into zone_offsets values
            ('UTC', '2026-01-01Z', '2026-06-01Z', 0, '2026-01-01Z'), ('UTC', '2026-06-01Z', '2100-01-01Z', 0, '2026-06-01Z');
        insert into practitioners (id, tenant_id, name, specialty, country, lat, lon, time_zone, week, version, profile_version)
        select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'clinic', 'Dr. ' || n,
            'general-practice', 'GB', 51.5, 0, 'UTC', array_fill(16777215, array[7]), 1, 1
        from generate_series(0, 100 * 64 - 1) n;
        insert into patients (id, subject)
        select ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid, n::text from generate_series(0, 63) n;
        ${without[$1]}" >/dev/null
    sql -d "$1" -c 'vacuum analyze' >/dev/null
}
# Of the server's processes that have ended, in ticks: a client's ends with it.
ticks() { awk '{print $16 + $17}' "/proc/$(head -1 "$folder/data/postmaster.pid")/stat"; }
echo "round contestant bookings/s cpu_us"
for round in $(seq 0 "$rounds"); do
    for contestant in neither no-history no-alignment all; do
        prepare "$contestant"
        before=$(ticks)
        if ! "$programs/pgbench" -h 127.0.0.1 -p "$port" -U praxis -n -M prepared -c "$clients" -j 1 -D n=0 \
            -t $((bookings / clients)) -f "$script" "$contestant" >"$folder/output" 2>"$folder/errors"; then
            head -5 "$folder/errors" >&2
            exit 1
        fi
        # The server notices a moment later that its client has gone.
        sleep 0.3
        # The first round warms up.
        [ "$round" = 0 ] || awk -v r="$round" -v c="$contestant" -v n="$bookings" -v spent=$(($(ticks) - before)) \
            -v hertz="$(getconf CLK_TCK)" '/^tps/ {printf "%d %s %.0f %.1f\n", r, c, $3, spent / hertz * 1e6 / n}' \
            "$folder/output"
    done
done | tee "$folder/results"
awk '{cpu[$1, $2] = $4; rounds = $1}
    END {
        split("no-alignment no-history all", names)
        for (k = 1; k in names; k++) {
            count = 0
            for (r = 1; r <= rounds; r++) more[++count] = cpu[r, names[k]] - cpu[r, "neither"]
            for (i = 1; i <= count; i++) for (j = i + 1; j <= count; j++)
                if (more[j] < more[i]) { x = more[i]; more[i] = more[j]; more[j] = x }
            printf "%s: %.1f us more than neither (%.1f to %.1f)\n", names[k], more[int((count + 1) / 2)], more[1], more[count]
        }
    }' "$folder/results"
