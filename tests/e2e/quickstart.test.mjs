// What quickstart makes of its environment: programs that are built already.
import test from 'node:test';
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join, relative} from 'node:path';
import {Appliance, bin, root} from './appliance.mjs';

test('a relative path to the programs is taken from where quickstart was called', async () => {
  const box = await Appliance.start({env: {PORTCULLIS_BIN_DIR: relative(process.cwd(), dirname(bin('portcullis')))}});
  assert.equal(await box.close(), 0, 'quickstart stops cleanly');
});

test('a folder without programs is named before anything is minted', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-'));
  try {
    const {status, stderr} = spawnSync(join(root, 'gateway/quickstart'), ['--dir', join(folder, 'demo')],
      {encoding: 'utf8', env: {...process.env, PORTCULLIS_BIN_DIR: folder}});
    assert.equal(status, 1);
    assert.equal(stderr, `quickstart: PORTCULLIS_BIN_DIR holds no portcullis-gateway: ${folder}\n`);
  } finally {
    rmSync(folder, {recursive: true, force: true});
  }
});
