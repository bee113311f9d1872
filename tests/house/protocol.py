#!/usr/bin/env python3
"""Every interleaving of the slot words' transitions: calls, one-way messages, giving up, detaching, dismissing, handing
on, clearing, redelivery, and deaths at any step with recoverers racing, which may die themselves.

usage: protocol.py SLOTS CLIENTS SERVERS RECOVERERS DEATHS [cancel] [detach] [dismiss] [adopt] [clear] [redeliver]
       [careless] [hasty] [rash]

CLIENTS is a string of one letter each, c for one that calls and p for one that posts. Each step is one atomic access
(sequentially consistent: orderings are loom's business), and anybody may rest between two of them for as long as he
likes, or die there. The ring is a queue of published references, as its own models show that it loses none. Who claims
a request passes its reference and all before it, and those at the front that can't be claimed just then may go at any
time: nobody may rely on a reference that was looked at once.

A failure is: two living servers that hold one request; a request that is served twice although nobody died with it, or
although it was given up; a reply to a word that is not its own; a published message that is lost with nobody to blame;
and an end in which somebody living waits or a slot is not free. Exit status 1, and the way to it, on failure. Careless
recoverers free slots without a look at the request word, hasty ones mark as published whatever is REQUEUED when they
have published, not just what they made so, and rash ones let a request fail without a change of the request word, so
that somebody may adopt it meanwhile: with each of these there must be a failure.
"""
import sys
from collections import namedtuple
from itertools import combinations

SLOTS, CALLERS = int(sys.argv[1]), sys.argv[2]
SERVERS, RECOVERERS, DEATHS = map(int, sys.argv[3:6])
CAN = set(sys.argv[6:])
TIMES_MAX = 2
OFFERS_MAX = 2

State = namedtuple("State", "req rep refs tail procs deaths served posted cleared offered offers")
# Word of a request: (state, generation, owner, times); of a reply: (state, generation, owner). Owners are indices into
# procs; a process is (role, step, slot, generation, what it has read). `refs` holds (position, slot, generation) in the
# order of the positions, and `tail` is the next one. `served` holds (slot, generation, server), `posted` the messages
# whose sending has returned, and `cleared` those that a clearer has claimed; `offered` the requests that their servers
# have told somebody the ids of, to be adopted, and `offers` how often they did.

NOBODY = None


def put(tup, index, value):
    return tup[:index] + (value,) + tup[index + 1:]


def initial():
    procs = [("call" if kind == "c" else "post", "take", None, 0, None) for kind in CALLERS]
    procs += [("server", "look", None, 0, None)] * SERVERS
    procs += [("recoverer", "look", None, 0, None)] * RECOVERERS
    procs += [("clearer", 0, None, 0, None)] if "clear" in CAN else []
    return State((("idle", 0, NOBODY, 0),) * SLOTS, (("free", 0, NOBODY),) * SLOTS, (), 0, tuple(procs), 0,
                 *[frozenset()] * 5)


def dead(state, owner):
    return owner is not NOBODY and state.procs[owner][1] == "dead"


def claimable(word, gen):
    return word[0] in ("queued", "requeued") and word[1] == gen


def published(state, slot, gen):
    return {"refs": state.refs + ((state.tail, slot, gen),), "tail": state.tail + 1}


def renumbered(state):
    """The same with positions from 0 on: only their order means something."""
    claimers = [proc for proc in state.procs if proc[:2] == ("server", "claim")]
    base = min([state.tail] + [ref[0] for ref in state.refs] + [proc[4][1] for proc in claimers])
    if base == 0:
        return state
    refs = tuple((position - base, slot, gen) for position, slot, gen in state.refs)
    procs = tuple(proc[:4] + ((proc[4][0], proc[4][1] - base),) if proc in claimers else proc for proc in state.procs)
    return state._replace(refs=refs, tail=state.tail - base, procs=procs)


class Step:
    """What one process can do next: each call of `to` is one outcome."""

    def __init__(self, state, me):
        self.state, self.me, self.outcomes = state, me, []
        self.role, self.at, self.slot, self.gen, self.seen = state.procs[me]

    def to(self, at, slot="same", gen="same", seen=None, **changes):
        slot = self.slot if slot == "same" else slot
        gen = self.gen if gen == "same" else gen
        proc = (self.role, at, slot, gen, seen)
        changed = self.state._replace(procs=put(self.state.procs, self.me, proc), **changes)
        self.outcomes.append(renumbered(changed))

    def reply(self, slot, word):
        return put(self.state.rep, slot, word)

    def request(self, slot, word):
        return put(self.state.req, slot, word)


def abandon(s, found, then, otherwise):
    """PENDING→ABANDONED, after which the request word is looked at once more."""
    if s.state.rep[s.slot] == found:
        s.to("abandoned", seen=(then, None), rep=s.reply(s.slot, ("abandoned", s.gen, NOBODY)))
    else:
        s.to(otherwise)


def withdraw_abandoned(s):
    """The steps after, until what is to follow, a step and what it needs to know: load the request word; if it is
    claimable and the reply word ABANDONED, withdraw it."""
    word, abandoned = s.state.req[s.slot], ("abandoned", s.gen, NOBODY)
    if s.at == "abandoned":
        if claimable(word, s.gen) and s.state.rep[s.slot] == abandoned:
            s.to("unqueue", seen=(s.seen, word))
        else:
            s.to(s.seen[0], seen=s.seen[1])
    elif s.at == "unqueue":
        following, found = s.seen
        if word == found:
            s.to("free", seen=following, req=s.request(s.slot, ("cancelled", s.gen, NOBODY, word[3])))
        else:
            s.to("abandoned", seen=following)
    elif s.at == "free":
        is_same = s.state.rep[s.slot] == abandoned
        s.to(s.seen[0], seen=s.seen[1], **({"rep": s.reply(s.slot, ("free", s.gen, NOBODY))} if is_same else {}))


def client(s):
    state, me = s.state, s.me
    mine = s.slot is not None and state.rep[s.slot][1:] == (s.gen, me)
    word = state.req[s.slot] if s.slot is not None else None
    if s.at == "take":
        kind = "pending" if s.role == "call" else "posted"
        for slot, (what, gen, _) in enumerate(state.rep):
            if what == "free":
                s.to("queue", slot, gen + 1, rep=s.reply(slot, (kind, gen + 1, me)))
    elif s.at == "queue":
        s.to("publish", req=s.request(s.slot, ("queued", s.gen, me, 0)))
    elif s.at == "publish":
        posted = state.posted | {(s.slot, s.gen)} if s.role == "post" else state.posted
        s.to("wait" if s.role == "call" else "end", posted=posted, **published(state, s.slot, s.gen))
    elif s.at == "wait":
        if not mine or state.rep[s.slot][0] in ("free", "abandoned", "posted"):
            s.to("end")
        elif state.rep[s.slot][0] != "pending":
            s.to("end", rep=s.reply(s.slot, ("free", s.gen, NOBODY)))
        else:
            if "cancel" in CAN:
                s.to("withdraw", seen=state.rep[s.slot])
            if "detach" in CAN:
                s.to("detach", seen=state.rep[s.slot])
    elif s.at == "withdraw":
        if claimable(word, s.gen):
            s.to("cancel", seen=word)
        elif word[:2] == ("claimed", s.gen):
            abandon(s, s.seen, "end", "wait")
        elif word[:2] == ("lost", s.gen):
            s.to("free pending")
        else:
            s.to("wait")
    elif s.at == "detach":
        # Its only thread: nobody withdraws it meanwhile.
        if state.rep[s.slot] == s.seen:
            s.to("end", rep=s.reply(s.slot, ("posted", s.gen, me)), posted=state.posted | {(s.slot, s.gen)})
        else:
            s.to("wait")
    elif s.at == "cancel":
        if word == s.seen:
            s.to("free pending", req=s.request(s.slot, ("cancelled", s.gen, me, word[3])))
        else:
            s.to("wait")
    elif s.at == "free pending":
        if mine and state.rep[s.slot][0] == "pending":
            s.to("end", rep=s.reply(s.slot, ("free", s.gen, NOBODY)))
        else:
            s.to("wait")
    else:
        withdraw_abandoned(s)


def finish(s, then, outcome):
    """A claimed request ends: PENDING to its outcome, or the lease of what nobody waits for."""
    what, gen, owner = s.state.rep[s.slot]
    if gen == s.gen and what == "pending":
        s.to(then, None, 0, rep=s.reply(s.slot, outcome(owner)))
    elif gen == s.gen and what in ("abandoned", "posted"):
        s.to(then, None, 0, rep=s.reply(s.slot, ("free", s.gen, NOBODY)))
    else:
        raise Failure("a reply met %r" % (s.state.rep[s.slot],))


def server(s):
    state, me = s.state, s.me
    if s.at == "look":
        oldest = next((ref for ref in state.refs if claimable(state.req[ref[1]], ref[2])), None)
        if oldest:
            position, slot, gen = oldest
            s.to("claim", slot, gen, (state.req[slot], position))
        rest = tuple(ref for ref in state.refs if oldest and ref[0] >= oldest[0])
        if rest != state.refs:
            s.to("look", refs=rest)
        for slot, gen in state.offered:
            word = state.req[slot]
            if word[:2] == ("claimed", gen) and word[2] != me:
                s.to("adopt", slot, gen, word, offered=state.offered - {(slot, gen)})
            elif word[:3] == ("claimed", gen, me):
                s.to("reply", slot, gen, offered=state.offered - {(slot, gen)})
    elif s.at == "claim":
        found, position = s.seen
        if state.req[s.slot] != found:
            s.to("look", None, 0)
            return
        for slot, gen, other in state.served:
            if (slot, gen) == (s.slot, s.gen) and not dead(state, other):
                raise Failure("served twice")
        at_it = any(proc[2:4] == (s.slot, s.gen) for k, proc in enumerate(state.procs) if k != me and proc[1] != "end")
        if state.rep[s.slot] == ("abandoned", s.gen, NOBODY) and not state.deaths == DEATHS and not at_it:
            raise Failure("served although its client gave it up")
        s.to("reply", req=s.request(s.slot, ("claimed", s.gen, me, found[3])),
             refs=tuple(ref for ref in state.refs if ref[0] > position),
             served=state.served | {(s.slot, s.gen, me)})
    elif s.at == "adopt":
        if state.req[s.slot] == s.seen:
            s.to("adopted", req=s.request(s.slot, ("claimed", s.gen, me, s.seen[3])),
                 served=state.served - {(s.slot, s.gen, s.seen[2])} | {(s.slot, s.gen, me)})
        else:
            s.to("look", None, 0)
    elif s.at == "adopted":
        what, gen, _ = state.rep[s.slot]
        if gen == s.gen and what in ("pending", "posted", "abandoned"):
            s.to("reply")
        else:
            s.to("look", None, 0)
    elif s.at == "reply":
        finish(s, "look", lambda owner: ("ready", s.gen, owner))
        if "dismiss" in CAN:
            finish(s, "look", lambda owner: ("dismissed", s.gen, owner))
        offers = sum(one[:2] == (s.slot, s.gen) for one in state.offers)
        if "adopt" in CAN and offers < OFFERS_MAX:
            # It tells somebody the id, and does nothing more about it.
            s.to("look", None, 0, offered=state.offered | {(s.slot, s.gen)},
                 offers=state.offers | {(s.slot, s.gen, offers)})


def clearer(s):
    """Clears each slot once. A queued request is claimed to that end."""
    state, me = s.state, s.me
    if isinstance(s.at, int):
        if s.at < SLOTS:
            s.to("found", s.at, state.rep[s.at][1], state.rep[s.at])
        return
    word, following = state.req[s.slot], s.slot + 1
    if s.at == "found":
        is_call = s.seen[0] == "pending"
        if s.seen[0] in ("pending", "posted") and claimable(word, s.gen):
            s.to("claim", seen=word)
        elif is_call and word[:2] == ("claimed", s.gen):
            abandon(s, s.seen, following, s.slot)
        else:
            s.to(following)
    elif s.at == "claim":
        if word == s.seen:
            s.to("finish", req=s.request(s.slot, ("claimed", s.gen, me, word[3])),
                 cleared=state.cleared | {(s.slot, s.gen)})
        else:
            s.to(s.slot)
    elif s.at == "finish":
        finish(s, following, lambda owner: ("free", s.gen, NOBODY))
    else:
        withdraw_abandoned(s)


def judge(state, slot, me, known):
    """What a recoverer that knows of some deaths does with what it finds in a slot: a name, and the request word to be
    written first, if any."""
    (what, gen, client_), word = state.rep[slot], state.req[slot]
    claimed, cancelled = word[:2] == ("claimed", gen), word[:2] == ("cancelled", gen)
    lost = word[:2] == ("lost", gen)
    client_gone, server_gone = client_ in known, claimed and word[2] in known
    unclaimable = "careless" not in CAN and (claimable(word, gen) or server_gone)
    withdrawn = ("cancelled", gen, NOBODY, word[3]) if unclaimable else None
    again = ("requeued", gen, me, word[3] + 1) if "redeliver" in CAN and word[3] < TIMES_MAX else None
    if what == "pending" and client_gone and claimed and not server_gone:
        return "abandon", None
    if what in ("pending", "ready", "failed", "dismissed") and client_gone:
        return "free", withdrawn
    if what in ("pending", "posted") and word[:2] == ("requeued", gen) and word[2] in known:
        return "requeue", ("requeued", gen, me, word[3])
    if what == "pending" and lost:
        return "fail", None
    if what in ("pending", "posted") and server_gone:
        if again:
            return "requeue", again
        losing = None if "rash" in CAN else ("lost", gen, NOBODY, word[3])
        return ("fail", losing) if what == "pending" else ("free", withdrawn)
    if what == "posted" and client_gone and word[:2] == ("queued", gen):
        return "requeue", ("requeued", gen, me, word[3])
    if what == "posted" and (cancelled or lost or client_gone and word[1] != gen):
        return "free", None
    if what == "abandoned" and (cancelled or lost or claimable(word, gen) or server_gone):
        return "free", withdrawn
    return None


def some_of(things):
    return [some for count in range(1, len(things) + 1) for some in combinations(things, count)]


def recoverer(s):
    state, me = s.state, s.me
    if s.at == "look":
        for slot in range(SLOTS):
            # Who is dead was asked before, so the dead change nothing between the reading of the two words; others may
            # have died since. What is lost or cancelled concerns whoever looks.
            for known in [()] + some_of([k for k, proc in enumerate(state.procs) if proc[1] == "dead"]):
                decision = judge(state, slot, me, known)
                if decision:
                    s.to("request", slot, state.rep[slot][1], (state.rep[slot], state.req[slot], decision))
        return
    word = state.req[s.slot]
    if s.at == "request":
        reply, request, (what, first) = s.seen
        if first and word != request:
            s.to("look", None, 0)
        elif what == "requeue":
            # What was offered was offered by the dead: to be adopted by nobody any more.
            s.to("requeued", seen=(reply, first), req=s.request(s.slot, first),
                 offered=state.offered - {(s.slot, s.gen)})
        elif what == "abandon":
            abandon(s, reply, "look", "look")
        else:
            s.to("recover", seen=(reply, what), **({"req": s.request(s.slot, first)} if first else {}))
    elif s.at == "recover":
        reply, what = s.seen
        next_word = ("free", s.gen, NOBODY) if what == "free" else ("failed", s.gen, reply[2])
        if state.rep[s.slot] == reply:
            s.to("look", None, 0, rep=s.reply(s.slot, next_word))
        else:
            s.to("look", None, 0)
    elif s.at == "requeued":
        is_given_up = state.rep[s.slot] == ("abandoned", s.gen, NOBODY)
        if is_given_up:
            s.to("abandoned", seen=("publish", s.seen))
        else:
            s.to("publish", seen=s.seen)
    elif s.at == "publish":
        s.to("mark", seen=s.seen, **published(state, s.slot, s.gen))
    elif s.at == "mark":
        reply, made = s.seen
        marks = word[:2] == ("requeued", s.gen) if "hasty" in CAN else word == made
        changes = {"req": s.request(s.slot, ("queued", s.gen, me, word[3]))} if marks else {}
        s.to("disown", seen=reply, **changes)
    elif s.at == "disown":
        what, gen, owner = s.seen
        orphan = what == "posted" and dead(state, owner) and state.rep[s.slot] == s.seen
        s.to("look", None, 0, **({"rep": s.reply(s.slot, ("posted", gen, NOBODY))} if orphan else {}))
    else:
        withdraw_abandoned(s)


class Failure(Exception):
    pass


ROLES = {"call": client, "post": client, "server": server, "recoverer": recoverer, "clearer": clearer}


def alone(state, me):
    """The last living one of its kind: somebody must be left to serve, and to recover."""
    role = state.procs[me][0]
    return role in ("server", "recoverer") and sum(p[0] == role and p[1] != "dead" for p in state.procs) == 1


def steps(state):
    out = []
    for me, proc in enumerate(state.procs):
        if proc[1] == "dead":
            continue
        step = Step(state, me)
        ROLES[proc[0]](step)
        out += step.outcomes
        if state.deaths < DEATHS and proc[1] != "end" and not alone(state, me):
            dying = put(state.procs, me, (proc[0], "dead", None, 0, None))
            # Whoever told it an id that it has yet to adopt tells another.
            offered = state.offered | ({proc[2:4]} if proc[1] == "adopt" else set())
            out.append(state._replace(procs=dying, deaths=state.deaths + 1, offered=offered))
    return out


def check_end(state):
    for proc in state.procs:
        if proc[0] in ("call", "post") and proc[1] not in ("dead", "end"):
            raise Failure("somebody waits for ever")
    if any(word[0] != "free" for word in state.rep):
        raise Failure("a slot is not free")
    if state.posted - state.cleared - {(slot, gen) for slot, gen, _ in state.served}:
        raise Failure("a message is lost")


def main():
    start = initial()
    came_from, todo = {start: None}, [start]
    while todo:
        state = todo.pop()
        try:
            nexts = steps(state)
            if not nexts:
                check_end(state)
        except Failure as failure:
            print("failure: %s" % failure)
            while state:
                print(state)
                state = came_from[state]
            return 1
        for following in nexts:
            if following not in came_from:
                came_from[following] = state
                todo.append(following)
    print("%d states" % len(came_from))
    return 0


sys.exit(main())
