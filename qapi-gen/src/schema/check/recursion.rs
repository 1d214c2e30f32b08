//! Types that contain themselves.
//!
//! In: a schema. Out: a report for every object that contains itself with no
//! array in between, and for those that contain others too deeply for what
//! comes after the checks. It knows the way that QEMU's generator takes
//! through a schema, which also tells the order of all other reports.

use super::super::{Entity, Object, Schema, TypeId, TypeKind};
use super::describe;
use super::step::Step;
use crate::diag::{Diagnostics, Problem};
use crate::rules::Rules;

/// How deeply objects may contain each other as bases and branches. QEMU's
/// generator, which goes through them by recursion, gives up at about this.
pub(crate) const DEPTH_MAX: usize = 1000;

/// Something on the way through a schema.
pub(super) enum Walk {
    /// A segment of a definition's checks begins; see [`Step`].
    Segment(Entity, u32),
    /// A definition meets its documentation.
    Documentation(Entity),
    /// In a segment of `within`, an object is met again.
    Recursion {
        object: TypeId,
        within: TypeId,
        segment: u32,
    },
    /// An object that is the first on its way to be too deep.
    Depth(TypeId),
}

/// Reports objects that contain themselves.
pub(super) fn check(schema: &Schema, diagnostics: &mut Diagnostics) {
    walk(schema, &mut |walk| {
        let (object, step, problem): (_, _, fn(String) -> Problem) = match walk {
            Walk::Recursion {
                object,
                within,
                segment,
            } => (
                object,
                Step::new(Entity::Type(within), segment, u32::MAX),
                Problem::ContainsItself,
            ),
            Walk::Depth(object) => (
                object,
                Step::new(Entity::Type(object), 0, u32::MAX),
                |name| Problem::ContainsTooDeeply {
                    name,
                    limit: DEPTH_MAX,
                },
            ),
            Walk::Segment(..) | Walk::Documentation(_) => return,
        };
        let name = schema.ty(object).common.name.to_string();
        let site = describe::site(schema, Entity::Type(object));
        diagnostics.report_ranked(problem(name), site, step.rank());
    });
}

/// Goes through a schema as QEMU's generator does.
pub(super) fn walk(schema: &Schema, visit: &mut dyn FnMut(Walk)) {
    let mut walker = Walker {
        schema,
        visit,
        states: vec![State::New; schema.types.len()],
    };
    for &entity in &schema.entities {
        walker.entity(entity);
        (walker.visit)(Walk::Documentation(entity));
    }
}

#[derive(Clone, Copy)]
enum State {
    New,
    Open,
    /// How deeply the object contains others.
    Done(usize),
}

struct Walker<'a> {
    schema: &'a Schema,
    visit: &'a mut dyn FnMut(Walk),
    states: Vec<State>,
}

impl Walker<'_> {
    fn entity(&mut self, entity: Entity) {
        let arg = match entity {
            Entity::Type(id) => return self.ty(id),
            Entity::Command(id) => self.schema.command(id).arg,
            Entity::Event(id) => self.schema.event(id).arg,
        };
        (self.visit)(Walk::Segment(entity, 0));
        // QEMU 7.2 gets to the arguments' type only when its turn comes.
        let goes_in = self.schema.rules > Rules::V7_2;
        if let Some(arg) = arg.filter(|&arg| goes_in && self.object(arg).is_some()) {
            self.ty(arg);
        }
        (self.visit)(Walk::Segment(entity, 1));
    }

    fn object(&self, id: TypeId) -> Option<&Object> {
        match &self.schema.ty(id).kind {
            TypeKind::Object(object) => Some(object),
            _ => None,
        }
    }

    fn state(&self, id: TypeId) -> State {
        self.states
            .get(id.0 as usize)
            .copied()
            .unwrap_or(State::Done(0))
    }

    fn set_state(&mut self, id: TypeId, state: State) {
        if let Some(slot) = self.states.get_mut(id.0 as usize) {
            *slot = state;
        }
    }

    fn ty(&mut self, id: TypeId) {
        if self.object(id).is_none() {
            (self.visit)(Walk::Segment(Entity::Type(id), 0));
            return;
        }
        if !matches!(self.state(id), State::New) {
            return;
        }
        // The way down: types, and the segment that each is in. How deep it
        // may get depends on the schema, so it is not on the machine's stack.
        let mut way = Vec::new();
        self.enter(id, &mut way);
        while let Some((id, segment, depth)) = way.last_mut() {
            let (id, current) = (*id, *segment);
            let contained = self.contained(id, current);
            match contained {
                None => {
                    let depth = *depth;
                    way.pop();
                    let depth = self.leave(id, depth);
                    if let Some((outer, segment, outer_depth)) = way.last_mut() {
                        *outer_depth = (*outer_depth).max(depth + 1);
                        (self.visit)(Walk::Segment(Entity::Type(*outer), *segment));
                    }
                    continue;
                }
                Some(_) => *segment += 1,
            }
            if let Some(Some(contained)) = contained {
                match self.state(contained) {
                    State::New => {
                        self.enter(contained, &mut way);
                        continue;
                    }
                    State::Open => (self.visit)(Walk::Recursion {
                        object: contained,
                        within: id,
                        segment: current,
                    }),
                    State::Done(inner) => *depth = (*depth).max(inner + 1),
                }
            }
            (self.visit)(Walk::Segment(Entity::Type(id), current + 1));
        }
    }

    fn enter(&mut self, id: TypeId, way: &mut Vec<(TypeId, u32, usize)>) {
        self.set_state(id, State::Open);
        (self.visit)(Walk::Segment(Entity::Type(id), 0));
        way.push((id, 0, 0));
    }

    /// Finishes an object and tells how deeply it contains others.
    fn leave(&mut self, id: TypeId, depth: usize) -> usize {
        if depth == DEPTH_MAX + 1 {
            (self.visit)(Walk::Depth(id));
        }
        // What contains one that is too deep is not reported again.
        let depth = depth.min(DEPTH_MAX + 1);
        self.set_state(id, State::Done(depth));
        depth
    }

    /// What a segment ends with: `None` if it is the last; `Some(None)` if
    /// there is nothing to go into.
    fn contained(&self, id: TypeId, segment: u32) -> Option<Option<TypeId>> {
        let object = self.object(id)?;
        let contained = match segment.checked_sub(1) {
            None => object.base.filter(|&base| {
                self.object(base)
                    .is_some_and(|base| base.branches.is_none())
            }),
            Some(branch) => {
                let branch = object.branches.as_ref()?.list.get(branch as usize)?;
                Some(branch.ty).filter(|&ty| self.object(ty).is_some())
            }
        };
        Some(contained)
    }
}
