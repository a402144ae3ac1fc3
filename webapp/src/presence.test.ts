import assert from "node:assert/strict";
import { test } from "node:test";
import { byThisClock, standing, touchEvery } from "./presence.ts";

const minute = 60_000;
const limits = { idle: 15 * minute, absolute: 720 * minute, endsAt: 1_000_000 * minute };

test("a session is counted down for two minutes, then over", () => {
  const at = (now: number) => standing(limits, 0, now);
  assert.deepEqual(at(0), { state: "here" });
  assert.deepEqual(at(13 * minute - 1), { state: "here" });
  assert.deepEqual(at(13 * minute), { state: "ending", cause: "idle", left: 2 * minute });
  assert.deepEqual(at(15 * minute - 1), { state: "ending", cause: "idle", left: 1 });
  assert.deepEqual(at(15 * minute), { state: "over", cause: "idle" });
  assert.deepEqual(at(900 * minute), { state: "over", cause: "idle" });
});

test("use does not move the absolute end", () => {
  const ends = { ...limits, endsAt: 720 * minute };
  assert.deepEqual(standing(ends, 718 * minute, 718 * minute), { state: "ending", cause: "absolute", left: 2 * minute });
  assert.deepEqual(standing(ends, 720 * minute, 720 * minute), { state: "over", cause: "absolute" });
});

test("a minute is counted down in its second half", () => {
  const short = { ...limits, idle: minute };
  assert.deepEqual(standing(short, 0, 29_999), { state: "here" });
  assert.deepEqual(standing(short, 0, minute / 2), { state: "ending", cause: "idle", left: minute / 2 });
});

test("a clock that is set back gives no more than a whole span", () => {
  assert.deepEqual(standing({ ...limits, idle: minute }, 100 * minute, 0), { state: "here" });
  assert.deepEqual(standing({ ...limits, idle: minute, endsAt: 30_000 }, 100 * minute, 0), { state: "ending", cause: "absolute", left: 30_000 });
});

test("the server hears of use before it counts somebody out", () => {
  assert.equal(touchEvery({ ...limits, idle: minute }), 15_000);
  assert.equal(touchEvery({ ...limits, idle: 480 * minute }), 300_000);
});

test("an end is one by this device's clock", () => {
  const server = { idle: 15 * minute, absolute: 720 * minute, endsAt: 1720 * minute }; // opened at 1000
  assert.equal(byThisClock(server, 1000 * minute).endsAt, 1720 * minute);
  assert.equal(byThisClock(server, 1004 * minute).endsAt, 1720 * minute, "the kit was typed slowly");
  assert.equal(byThisClock(server, 1900 * minute).endsAt, 2620 * minute, "a clock that is ahead locks nobody out at once");
  assert.equal(byThisClock(server, 100 * minute).endsAt, 820 * minute, "a clock that is behind gives nobody more");
});
