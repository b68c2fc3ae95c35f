// A cluster of one node, Slurm's daemons on this computer: everything of theirs lies in one folder.

import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A port that nobody listens on. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const settings = (folder, [controller, node]) => `
ClusterName=test
SlurmctldHost=${hostname()}(127.0.0.1)
SlurmctldPort=${controller}
SlurmdPort=${node}
SlurmUser=${userInfo().username}
SlurmdUser=${userInfo().username}
# A job that is queued again waits so many seconds, else two minutes.
AuthInfo=socket=${folder}/munge/socket,cred_expire=8
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
# Without control groups, which a container may not make.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MailProg=/bin/true
ReturnToService=2
KillWait=1
SchedulerParameters=sched_interval=1
# As large a node as the test wants, however small this computer is.
SlurmdParameters=config_overrides
NodeName=${hostname()} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4096
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`;

/** Starts it: `{ call, stop }`, or `{ reason, stop }` where it does not run. */
export async function startCluster(folder) {
  const path = `${process.env.PATH}:/usr/sbin:/sbin`;
  const env = { ...process.env, PATH: path, SLURM_CONF: join(folder, "slurm.conf") };
  // Daemons of other users, as munge may be, must come through.
  chmodSync(folder, 0o755);
  for (const name of ["munge", "state", "spool"]) mkdirSync(join(folder, name), { mode: 0o755 });
  const munge = (name) => join(folder, "munge", name);
  writeFileSync(munge("key"), randomBytes(128), { mode: 0o600 });
  writeFileSync(env.SLURM_CONF, settings(folder, [await freePort(), await freePort()]));

  const daemons = [];
  const start = (name, ...words) => {
    const child = spawn(name, words, { env, stdio: ["ignore", "ignore", "pipe"] });
    const daemon = { child, said: "", ended: new Promise((resolve) => child.on("close", resolve).on("error", resolve)) };
    child.on("error", (error) => (daemon.said += error.message));
    child.stderr.on("data", (text) => (daemon.said += text));
    daemons.unshift(daemon);
  };
  const stop = async () => {
    for (const { child, ended } of daemons) {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(late);
    }
  };
  const call = (name, ...words) => spawnSync(name, words, { env, cwd: folder, encoding: "utf8" });
  const ready = async (claim) => {
    for (const end = Date.now() + 20_000; Date.now() < end; await sleep(50)) {
      if (claim()) return true;
      if (daemons.some(({ child }) => child.exitCode !== null || child.pid === undefined)) break;
    }
    return false;
  };

  const files = { "key-file": "key", socket: "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed" };
  start("munged", "--foreground", "--num-threads=10", ...Object.entries(files).map(([word, name]) => `--${word}=${munge(name)}`));
  if (await ready(() => existsSync(munge("socket")))) {
    start("slurmctld", "-D");
    start("slurmd", "-D");
    if (await ready(() => call("sinfo", "--noheader", "--format=%T").stdout?.trim() === "idle")) return { call, stop };
  } else if (existsSync(munge("log"))) {
    daemons[0].said += readFileSync(munge("log"), "utf8");
  }
  await stop();
  const words = daemons.flatMap(({ said }) => said.split("\n").filter((line) => /error|fatal|ENOENT/i.test(line)).slice(-1));
  return { reason: `Slurm's daemons do not run here: ${words.join("; ") || "they do not say why"}`, stop };
}
