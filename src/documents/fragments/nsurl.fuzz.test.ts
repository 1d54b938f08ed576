import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { formatNsUrl, parseNsUrl, serviceNameProblem, type NsUrl } from "./nsurl.ts";

const label = fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => text.isWellFormed());
const service = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((text) => serviceNameProblem(text) === undefined);

const url: fc.Arbitrary<NsUrl> = fc.record(
  {
    mechanism: fc.stringMatching(/^[a-z][a-z0-9+.-]{0,8}$/),
    service,
    interface: label,
    labels: fc
      .array(
        fc.tuple(
          label.filter((key) => key !== "" && key !== "__proto__"),
          label,
        ),
      )
      .map((pairs) => Object.fromEntries(pairs)),
  },
  { noNullPrototype: true },
);

suite("addresses of services", () => {
  test("a formatted address parses to the same address", () => {
    fc.assert(
      fc.property(url, (given) => {
        assert.deepEqual(parseNsUrl(formatNsUrl(given)), { ok: true, url: given });
      }),
      { numRuns: 500 },
    );
  });

  test("any text parses to an address or is refused with a reason", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc
            .string({ unit: fc.constantFrom("%", "@", "/", "?", "=", "&", "a", "b", "f", "0", "9") })
            .map((rest) => `kernel://${rest}`),
        ),
        (text) => {
          const result = parseNsUrl(text);
          assert.ok(result.ok || result.problem.length > 0);
          if (result.ok) assert.deepEqual(parseNsUrl(formatNsUrl(result.url)), result);
        },
      ),
      { numRuns: 1000 },
    );
  });

  for (const [text, wanted] of [
    [
      "kernel://nsm-service-1/nsm-1",
      { mechanism: "kernel", service: "nsm-service-1", interface: "nsm-1", labels: {} },
    ],
    [
      "kernel://floating-vl3-dns@my.cluster3/nsm-1",
      { mechanism: "kernel", service: "floating-vl3-dns@my.cluster3", interface: "nsm-1", labels: {} },
    ],
    [
      "KERNEL://vl3-lb/nsm-1?app=finance&tier=a+b&app=other",
      {
        mechanism: "kernel",
        service: "vl3-lb",
        interface: "nsm-1",
        labels: { app: "finance", tier: "a b" },
      },
    ],
    [
      "kernel://webhook-smartvf/nsm-1?sriovToken=worker.domain/100G",
      {
        mechanism: "kernel",
        service: "webhook-smartvf",
        interface: "nsm-1",
        labels: { sriovToken: "worker.domain/100G" },
      },
    ],
    ["kernel://shop", { mechanism: "kernel", service: "shop", interface: "", labels: {} }],
  ] as const) {
    test(`reads upstream's ${text}`, () => assert.deepEqual(parseNsUrl(text), { ok: true, url: wanted }));
  }

  for (const [text, problem] of [
    ["shop", /expected mechanism:/],
    ["kernel:///nsm-1", /no service is named/],
    ["kernel://a@b@c/x", /more than one @/],
    ["kernel://shop/%zz", /interface's name has a %/],
    ["kernel://shop/a?=1", /label has no name/],
    ["kernel://shop#x", /expected mechanism:/],
  ] as const) {
    test(`refuses ${text}`, () => {
      const result = parseNsUrl(text);
      assert.ok(!result.ok);
      assert.match(result.problem, problem);
    });
  }
});
