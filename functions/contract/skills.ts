/**
 * Skills: folders with instructions, which agents read when they need them. Each answer has the names of the API's present
 * form and those of its older one (`display_title`, `latest_version`, numeric versions), so clients of both read it.
 */
import * as z from 'zod';
import { DEFAULT_LIMIT, limitUpTo, ListQuery } from './pages.ts';
import { Instant, SkillVersionId } from './ids.ts';
import { isWellFormed } from './content.ts';

const MAX_SKILLS = 20;
/** Of a session, whose agents together may have more than one of them: a sandbox's disk has room for them. */
export const MAX_SESSION_SKILLS = 100;
const MAX_VERSIONS_LIMIT = 1000;

/** The bare name of a pre-built skill, such as `xlsx`. */
export const PrebuiltName = z
  .string()
  .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'must be a name such as "xlsx"')
  .max(64);

/** A skill that a workspace made, or the bare name of a pre-built one. */
export const SkillId = z
  .string()
  .max(70)
  .regex(
    /^(?:skill_[0-9A-Za-z]{1,64}|[a-z0-9]+(?:-[a-z0-9]+)*)$/,
    'must be an id that starts with "skill_", or the name of a pre-built skill',
  )
  .brand<'SkillId'>();
export type SkillId = z.infer<typeof SkillId>;

export const LATEST = 'latest';

/** Both ids of a version, and `latest`, name it wherever a version is named. */
export const SkillVersionRef = z
  .string()
  .regex(
    /^(?:latest|skver_[0-9A-Za-z]{1,64}|[1-9][0-9]{0,15})$/,
    'must be "latest", or an id that starts with "skver_"',
  );
export type SkillVersionRef = z.infer<typeof SkillVersionRef>;

const SkillSource = z.enum(['custom', 'anthropic']);

export const DisplayName = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => isWellFormed(text) && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text), 'must be one line');

export const Skill = z
  .object({
    id: SkillId,
    type: z.literal('skill'),
    display_name: z.string(),
    display_title: z.string(),
    latest_version_id: SkillVersionId,
    latest_version: z.string(),
    /** `anthropic`: the operator's copy of a pre-built skill. */
    source: z.object({ type: SkillSource }),
    created_at: Instant,
    updated_at: Instant,
  })
  .meta({ id: 'Skill' });
export type Skill = z.infer<typeof Skill>;

export const SkillVersion = z
  .object({
    id: SkillVersionId,
    type: z.literal('skill_version'),
    skill_id: SkillId,
    /** The version's other id, of the API's older form: it grows from version to version. */
    version: z.string(),
    name: z.string(),
    description: z.string(),
    /** The top-level directory of a download. */
    directory: z.string(),
    created_at: Instant,
  })
  .meta({ id: 'SkillVersion' });
export type SkillVersion = z.infer<typeof SkillVersion>;

/** The fields of a form beside its files. Both names mean the same; the older one is `display_title`. */
export const SkillFields = z.strictObject({
  display_name: DisplayName.optional(),
  display_title: DisplayName.optional(),
});

export const SkillsQuery = z.strictObject({
  source: SkillSource.optional(),
  limit: ListQuery.shape.limit,
  page: ListQuery.shape.page,
  beta: ListQuery.shape.beta,
});

export const SkillVersionsQuery = z.strictObject({
  limit: limitUpTo(MAX_VERSIONS_LIMIT).default(DEFAULT_LIMIT),
  page: ListQuery.shape.page,
  beta: ListQuery.shape.beta,
});

/** A page of the older form tells beside `next_page` whether there is one. */
export const skillPageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ data: z.array(item), next_page: z.string().nullable(), has_more: z.boolean() });

export const SkillDeleted = z.object({ id: SkillId, type: z.literal('skill_deleted') }).meta({ id: 'SkillDeleted' });
export const SkillVersionDeleted = z
  .object({ id: SkillVersionId, type: z.literal('skill_version_deleted') })
  .meta({ id: 'SkillVersionDeleted' });

const Kind = z.enum(['anthropic', 'custom']);

/** What an agent names. A version that is left out is the latest. */
export const AgentSkillInput = z
  .strictObject({ type: Kind, skill_id: SkillId, version: SkillVersionRef.nullish() })
  .refine(({ type, skill_id }) => (type === 'custom') === skill_id.startsWith('skill_'), {
    path: ['skill_id'],
    message:
      'must be an id that starts with "skill_" for type "custom", and a name such as "xlsx" for type "anthropic"',
  });

export const AgentSkillsInput = z.array(AgentSkillInput).max(MAX_SKILLS);
export type AgentSkillsInput = z.infer<typeof AgentSkillsInput>;

/** As it is saved: `latest` follows the skill, and a version that is named stays. A session has the version that it got. */
export const AgentSkill = z.object({ type: Kind, skill_id: SkillId, version: SkillVersionRef });
export type AgentSkill = z.infer<typeof AgentSkill>;

/** What the sandboxes of a session are given of a skill: a version of it, in the folder `name`. */
export const MountedSkill = z.object({ name: z.string(), version: SkillVersionId, holder: z.string() });
export type MountedSkill = z.infer<typeof MountedSkill>;
