//! A group's rows: who is there, who reads what, and how far it got.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use super::offset_column;
use crate::capabilities::events::Progress;

/// How long a lease holds. A member that dies is followed within this and one heartbeat.
pub const LEASE: Duration = Duration::from_secs(6);

/// One member's view of its group. Names are full.
#[derive(Clone)]
pub struct Membership {
    pub pool: PgPool,
    pub prefix: String,
    pub group: String,
    pub member: Uuid,
    pub topics: Vec<String>,
}

/// A partition that this member holds.
pub struct Held {
    pub topic: String,
    pub partition: i32,
    /// How far the group got.
    pub progress: Progress,
    /// The offset that the next record will get.
    pub next_offset: i64,
}

impl Membership {
    /// Makes the group's rows, and tells the others that somebody came. Answers how many
    /// partitions of each topic there are to share.
    pub async fn join(&self) -> sqlx::Result<Partitions> {
        sqlx::query(
            // A group that is new starts at the oldest record: nothing is lost to it.
            r#"insert into event_groups (group_id, topic, partition, committed)
            select $1, p.topic, p.partition, coalesce(oldest."offset", p.next_offset)
            from event_partitions p
            left join lateral (
                select l."offset"
                from event_log l
                where l.topic = p.topic and l.partition = p.partition
                order by l."offset"
                limit 1
            ) oldest on true
            where p.topic = any($2)
            order by p.topic, p.partition
            on conflict do nothing"#,
        )
        .bind(&self.group)
        .bind(&self.topics)
        .execute(&self.pool)
        .await?;
        self.others().await?;
        self.tell().await?;
        let partitions: Vec<(String, i64)> = sqlx::query_as(
            "select topic, count(*) from event_partitions where topic = any($1) group by topic",
        )
        .bind(&self.topics)
        .fetch_all(&self.pool)
        .await?;
        let partitions = partitions.into_iter();
        Ok(partitions
            .map(|(topic, count)| (topic, usize::try_from(count).unwrap_or(0)))
            .collect())
    }

    /// Says that this member lives, and who the others are, in order; itself included.
    pub async fn others(&self) -> sqlx::Result<Vec<Uuid>> {
        let mut members: Vec<Uuid> = sqlx::query_scalar(
            "with alive as (
                insert into event_members (group_id, member, alive_until)
                values ($1, $2, now() + $3 * interval '1 millisecond')
                on conflict (group_id, member) do update
                set alive_until = excluded.alive_until
            )
            select member
            from event_members
            where group_id = $1 and member <> $2 and alive_until > now()",
        )
        .bind(&self.group)
        .bind(self.member)
        .bind(lease_ms())
        .fetch_all(&self.pool)
        .await?;
        members.push(self.member);
        members.sort_unstable();
        Ok(members)
    }

    /// Renews this member's leases; answers those that it still holds.
    pub async fn renew(&self) -> sqlx::Result<Vec<Held>> {
        let rows = sqlx::query_as(
            "update event_groups g
            set leased_until = now() + $3 * interval '1 millisecond'
            from event_partitions p
            where g.group_id = $1 and g.member = $2
                and p.topic = g.topic and p.partition = g.partition
            returning g.topic, g.partition, g.committed, g.note, p.next_offset",
        )
        .bind(&self.group)
        .bind(self.member)
        .bind(lease_ms())
        .fetch_all(&self.pool)
        .await?;
        Ok(held(rows))
    }

    /// Takes up to `partitions_max` partitions of a topic that nobody holds.
    pub async fn acquire(&self, topic: &str, partitions_max: usize) -> sqlx::Result<Vec<Held>> {
        let rows = sqlx::query_as(
            "update event_groups g
            set member = $2, leased_until = now() + $3 * interval '1 millisecond'
            from event_partitions p
            where g.group_id = $1
                and p.topic = g.topic and p.partition = g.partition
                and (g.topic, g.partition) in (
                    select topic, partition
                    from event_groups
                    where group_id = $1 and topic = $4
                        and (member is null or leased_until < now())
                    order by partition
                    limit $5
                    for update skip locked
                )
            returning g.topic, g.partition, g.committed, g.note, p.next_offset",
        )
        .bind(&self.group)
        .bind(self.member)
        .bind(lease_ms())
        .bind(topic)
        .bind(i64::try_from(partitions_max).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        Ok(held(rows))
    }

    /// Gives partitions back, and tells the others. When the lease ended is kept: retention asks
    /// whether the group is alive.
    pub async fn release(&self, topic: &str, partition: i32) -> sqlx::Result<()> {
        sqlx::query(
            "update event_groups
            set member = null, leased_until = now()
            where group_id = $1 and topic = $2 and partition = $3 and member = $4",
        )
        .bind(&self.group)
        .bind(topic)
        .bind(partition)
        .bind(self.member)
        .execute(&self.pool)
        .await?;
        self.tell().await
    }

    /// Records how far the group got. `false` if the partition is another's by now.
    pub async fn commit(
        &self,
        topic: &str,
        partition: i32,
        progress: &Progress,
    ) -> sqlx::Result<bool> {
        // Not waited for until it is on disk: what a crash of the database takes back is delivered
        // again, and each statement of a handler that came before it is on disk already.
        let rows = sqlx::query(
            "with relaxed as materialized (
                select set_config('synchronous_commit', 'off', true)
            )
            update event_groups
            set committed = $5, note = $6
            from relaxed
            where group_id = $1 and topic = $2 and partition = $3 and member = $4
                and committed <= $5",
        )
        .bind(&self.group)
        .bind(topic)
        .bind(partition)
        .bind(self.member)
        .bind(offset_column(progress.next))
        .bind(progress.note())
        .execute(&self.pool)
        .await?
        .rows_affected();
        Ok(rows == 1)
    }

    /// Gives everything back.
    pub async fn leave(&self) -> sqlx::Result<()> {
        sqlx::query(
            "with gone as (
                delete from event_members
                where group_id = $1 and member = $2
            )
            update event_groups
            set member = null, leased_until = now()
            where group_id = $1 and member = $2",
        )
        .bind(&self.group)
        .bind(self.member)
        .execute(&self.pool)
        .await?;
        self.tell().await
    }

    async fn tell(&self) -> sqlx::Result<()> {
        sqlx::query("select pg_notify('praxis_events', 'group/' || $1)")
            .bind(&self.group)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// How many partitions there are, or are somebody's, of each topic.
pub type Partitions = BTreeMap<String, usize>;

/// How many partitions of each topic the member at `rank` among `members` may hold, as if they were
/// dealt out one by one: all hold the same of each topic and of all together, but for one. By topic,
/// for one may be busy and another quiet.
pub fn quotas(partitions: &Partitions, members: usize, rank: usize) -> Partitions {
    let mut dealt = 0;
    let share = |(topic, count): (&String, &usize)| {
        // Of the first `n` that are dealt, those that are this member's.
        let mine = |n: usize| n / members + usize::from(rank < n % members);
        let quota = mine(dealt + count) - mine(dealt);
        dealt += count;
        (topic.clone(), quota)
    };
    partitions.iter().map(share).collect()
}

type Row = (String, i32, i64, String, i64);

fn held(rows: Vec<Row>) -> Vec<Held> {
    let held = |(topic, partition, committed, note, next_offset): Row| Held {
        topic,
        partition,
        progress: Progress::read(committed.unsigned_abs(), &note),
        next_offset,
    };
    rows.into_iter().map(held).collect()
}

fn lease_ms() -> i64 {
    i64::try_from(LEASE.as_millis()).expect("a lease is short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_add_up_and_differ_by_one_at_most_in_each_topic_and_in_all() {
        for (a, b) in (0..8).flat_map(|a| (0..8).map(move |b| (a, b))) {
            for members in 1..6 {
                let partitions = Partitions::from([("a".into(), a), ("b".into(), b)]);
                let quotas: Vec<_> = (0..members)
                    .map(|rank| quotas(&partitions, members, rank))
                    .collect();
                let shares = |of: &dyn Fn(&Partitions) -> usize| -> Vec<usize> {
                    quotas.iter().map(of).collect()
                };
                for (shares, count) in [
                    (shares(&|quotas| quotas["a"]), a),
                    (shares(&|quotas| quotas["b"]), b),
                    (shares(&|quotas| quotas.values().sum()), a + b),
                ] {
                    assert_eq!(shares.iter().sum::<usize>(), count);
                    assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
                }
            }
        }
    }
}
